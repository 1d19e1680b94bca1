"""Readiness: small questions with an answer within a second, asked until the answer is yes."""

import http.client
import socket
from contextvars import ContextVar

TIMEOUT_S = ContextVar("TIMEOUT_S", default=1.0)
"""How long a question waits; whoever asks beside others' work may wait longer."""


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S.get()):
            return True
    except OSError:
        return False


def answers(port: int, path: str, *, status: int | None = 200) -> bool:
    """Whether an HTTP GET gets exactly this status; None = any."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S.get())
    try:
        connection.request("GET", path)
        found = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return status is None or found == status


def broker_serves(address: str) -> bool:
    """Whether the Kafka broker answers a metadata request and knows itself."""
    if not listens(int(address.rpartition(":")[2])):
        return False
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        return bool(client.list_topics(timeout=TIMEOUT_S.get()).brokers)
    except KafkaException:
        return False


def grpc_serves(port: int, service: str) -> bool:
    """Whether the gRPC server says that `service` is serving (standard health protocol)."""
    if not listens(port):
        return False
    import grpc  # type: ignore[import-untyped]
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S.get()
            )
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
