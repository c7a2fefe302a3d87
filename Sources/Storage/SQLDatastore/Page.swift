// SPDX-License-Identifier: Apache-2.0

import Datastore

/// A page request in the terms of a statement: rows with an id above `after`, at most `limit` of them.
struct RowRange {
    var after: Int64?
    var limit: Int?

    /// - Throws: `invalid_argument` for size 0 and for what is not a token.
    init(_ page: PageRequest?, _ dialect: Dialect) throws {
        guard let page else { return }
        guard page.size > 0 else { throw StoreFailure.invalid("cannot paginate with pagesize = 0") }
        limit = page.size
        if page.token.isEmpty { return }
        guard page.token.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
            throw StoreFailure.invalid("could not parse token '\(page.token)'")
        }
        // Larger than any number we know is larger than any row id as well.
        after = min(Int64(page.token) ?? .max, dialect.largestToken)
    }

    /// The token after a page that ended with `last`.
    func nextToken(_ last: Int64?) -> String {
        guard limit != nil, let last else { return "" }
        return String(last)
    }
}
