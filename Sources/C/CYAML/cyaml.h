// SPDX-License-Identifier: Apache-2.0
#ifndef SPIRE_CYAML_H
#define SPIRE_CYAML_H
#include <yaml.h>
#endif
