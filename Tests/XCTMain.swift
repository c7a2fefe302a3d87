// SPDX-License-Identifier: Apache-2.0

import Testing

/// The entry point of the test bundle. All tests are Swift Testing's, so nothing is discovered through the index, and
/// builds need not write one.
@main
struct TestBundle {
    static func main() async { await Testing.__swiftPMEntryPoint() as Never }
}
