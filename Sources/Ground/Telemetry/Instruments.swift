// SPDX-License-Identifier: Apache-2.0

/// What a part of a program reports to: metrics and traces. `off` reports to nobody and costs nothing.
package struct Instruments: Sendable {
    package var meter: Meter
    package var tracer: Tracer

    package static let off = Instruments(meter: .off, tracer: .off)

    package init(meter: Meter, tracer: Tracer = .off) {
        self.meter = meter
        self.tracer = tracer
    }

    package var isOn: Bool { meter.isOn || tracer.isOn }
}
