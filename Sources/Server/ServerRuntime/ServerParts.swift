// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import EntryIndex
import Groundwork
import Logging
import SPIFFE
import ServerAPI

/// A server that has been built: everything opened and loaded, nothing running.
package struct ServerParts: Sendable {
    let logger: Logger
    let time: any TimeSource
    let trustDomain: TrustDomain
    let datastore: any Datastore & ChangeNotifier
    let authority: Looping
    let serverSVID: ServerSVIDRotator
    let entryIndex: Looping
    let pruners: [Pruner]
    let endpoints: Endpoints
    let bundles: BundleCache
}
