// SPDX-License-Identifier: Apache-2.0

package import RPC
import WorkloadProtos

/// gRPC server reflection, v1 and v1alpha: which services there are. Descriptors are not kept in the program, so tools
/// that want to call a method by its name need the `.proto` files.
/// > Spec: grpc.reflection.v1.
package struct Reflection: Sendable {
    private let services: [String]

    /// - Parameter table: What the server offers besides reflection itself.
    package init(describing table: ServiceTable) {
        let own = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
        services = Set(table.methods.map(\.service) + own).sorted()
    }

    /// Adds the service, in both its versions, to a table.
    package func register(in table: inout ServiceTable) {
        table.bidirectional(ReflectionMethods.serverReflectionInfo) { requests, responses, _ in
            while let request = try await requests.next() { try await responses.send(answer(request)) }
        }
        let alpha = BidirectionalMethod<
            Grpc_Reflection_V1_ServerReflectionRequest, Grpc_Reflection_V1_ServerReflectionResponse
        >("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo")
        // The two versions differ in their names only.
        table.bidirectional(alpha) { requests, responses, _ in
            while let request = try await requests.next() { try await responses.send(answer(request)) }
        }
    }

    private func answer(
        _ request: Grpc_Reflection_V1_ServerReflectionRequest
    ) -> Grpc_Reflection_V1_ServerReflectionResponse {
        var response = Grpc_Reflection_V1_ServerReflectionResponse()
        response.validHost = request.host
        response.originalRequest = request
        if case .listServices? = request.messageRequest {
            response.listServicesResponse.service = services.map { name in
                var service = Grpc_Reflection_V1_ServiceResponse()
                service.name = name
                return service
            }
        } else {
            response.errorResponse.errorCode = Int32(StatusCode.notFound.rawValue)
            response.errorResponse.errorMessage = "descriptors are not available"
        }
        return response
    }
}
