import json


class Session:
    def __init__(self, id, context=None):
        self._id = id
        self._context = dict(context or {})
        self._values = {}

    @property
    def id(self):
        return self._id

    @property
    def context(self):
        return dict(self._context)

    def get(self, key, default=None):
        return self._values.get(key, default)

    def set(self, key, value):
        json.dumps(value)  # a value that is not JSON is refused here, with a TypeError
        self._values[key] = value

    def delete(self, key):
        return self._values.pop(key, None) is not None

    def exists(self, key):
        return key in self._values
