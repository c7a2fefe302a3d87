// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_PEER_CREDENTIALS_H
#define SPIRE_PEER_CREDENTIALS_H
#endif
