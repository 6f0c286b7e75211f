class Diagnostics:
    def __init__(self):
        self._items = {}

    def publish(self, key, value):
        self._items[key] = value

    def get(self):
        return dict(self._items)
