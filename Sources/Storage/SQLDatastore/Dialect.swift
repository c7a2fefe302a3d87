// SPDX-License-Identifier: Apache-2.0

/// What differs between databases in the statements and the schema, as data.
package struct Dialect: Sendable {
    /// SPIRE's name of the database type.
    package var name: String
    /// Column types of the schema.
    package var types: ColumnTypes
    /// What follows a CREATE TABLE's closing parenthesis.
    package var tableOptions: String
    /// Quotes a name of the schema.
    package var quote: @Sendable (String) -> String
    /// Says which index a table reference is to be read by (`nil`: the row id alone), where the database lets us. The
    /// text starts with a space. Databases whose planner cannot be told answer with an empty one.
    package var access: @Sendable (_ index: String?) -> String
    /// Joins in the order they are written.
    package var orderedJoin: String
    /// Makes a UNION the whole of an IN's subquery, which some planners otherwise work out anew for every row.
    package var unionSubquery: @Sendable (String) -> String = { $0 }
    /// A text column in a UNION of several tables, which some databases refuse when the tables' collations differ.
    package var unionText: @Sendable (String) -> String = { $0 }
    /// Ends a SELECT whose rows are about to be changed.
    package var rowLock: String
    /// Whether `=` takes texts for equal that differ in case, accents or trailing spaces, so that what is found by an
    /// identity has to be compared once more.
    package var comparesLoosely: Bool
    /// Whether statements travel over a network, so that many rows by one statement are worth another way of writing.
    package var isRemote: Bool
    /// Yields a row if the table named by the parameter exists.
    package var tableExists: String
    /// Yields a row if the column (second parameter) of the table (first parameter) exists.
    package var columnExists: String
    /// Yields the names of all tables.
    package var tables: String
    /// Whether a failed transaction takes created tables and columns back as well.
    package var createsInTransactions: Bool
    /// Whether one transaction after another writes, so that row ids appear in their order.
    package var commitsInOrder: Bool
    /// Largest row id a page token may hold.
    package var largestToken: Int64
    /// The later of two of `SQLConnection.position`, or both in one. Without replicas never asked for.
    package var laterPosition: @Sendable (String, String) -> String = { _, later in later }
    /// A query to be run after rows were inserted with ids of their own into a table, where the database would else
    /// hand out those ids again.
    package var afterExplicitIDs: (@Sendable (_ table: String) -> String)?

    package struct ColumnTypes: Sendable {
        package var id: String
        package var reference: String
        package var int32: String
        package var int64: String
        package var bool: String
        package var string: String
        package var time: String
        package var bytes: String
    }
}
