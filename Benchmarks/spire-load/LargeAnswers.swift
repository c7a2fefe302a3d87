// SPDX-License-Identifier: Apache-2.0

import RPC

extension RPCClientConfiguration {
    /// For answers that hold everything at once, which the default limit of 4 MiB would refuse.
    static var largeAnswers: RPCClientConfiguration {
        var configuration = RPCClientConfiguration()
        configuration.maximumMessageSize = 256 << 20
        return configuration
    }
}
