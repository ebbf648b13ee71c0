"""Answers held to a service model: what is not in the model, or not as the model says."""

from model_samples import service_model

_PLAIN = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "blob": str,
}


def misfits_of(service, operation, answer):
    """Return where an answer (decoded JSON) is not as the model says; nothing if it fits."""
    shape = service_model(service).operation_model(operation).output_shape
    if shape is None:
        return [] if answer in (None, {}) else [f"{operation} has no output"]
    return list(_misfits(shape, answer, operation))


def _misfits(shape, value, where):
    match shape.type_name:
        case "structure":
            yield from _of_structure(shape, value, where)
        case "list":
            yield from _of_list(shape, value, where)
        case "map":
            yield from _of_map(shape, value, where)
        case _:
            yield from _of_scalar(shape, value, where)


def _of_structure(shape, value, where):
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{where}.{name} is missing"
    for name, inner in value.items():
        if name not in shape.members:
            yield f"{where}.{name} is not in the model"
        else:
            yield from _misfits(shape.members[name], inner, f"{where}.{name}")


def _of_list(shape, value, where):
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    for one in value:
        yield from _misfits(shape.member, one, f"{where}[]")


def _of_map(shape, value, where):
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no map"
        return
    for name, inner in value.items():
        yield from _misfits(shape.key, name, f"{where} key")
        yield from _misfits(shape.value, inner, f"{where}[{name}]")


def _of_scalar(shape, value, where):
    kinds = _PLAIN[shape.type_name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        yield f"{where}: {value!r} is no {shape.type_name}"
        return
    if shape.type_name == "string":
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
        if not least <= len(value) <= most:
            yield f"{where}: {value!r} is too short or too long"
        if shape.enum and value not in shape.enum:
            yield f"{where}: {value!r} is not one of {shape.enum}"
