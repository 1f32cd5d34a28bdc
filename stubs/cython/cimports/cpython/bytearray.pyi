from typing import Any

def PyByteArray_AS_STRING(value: bytearray, /) -> Any: ...  # noqa: N802
def PyByteArray_Resize(value: bytearray, size: int, /) -> int: ...  # noqa: N802
