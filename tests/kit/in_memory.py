"""A view of the store in which everything is there at once, and changes are applied in place."""

from collections import defaultdict

from kagimori.ports import Delete, Expect, ExpectAtMost, Put, StoreConflict


class InMemoryView:
    """Holds entities by table and key. `looks` counts how often it was read."""

    def __init__(self):
        self._entities = defaultdict(dict)
        self.looks = 0
        self.epoch = 0

    def copy(self):
        """Return another view of the same entities, which goes its own way."""
        other = InMemoryView()
        for name, entities in self._entities.items():
            other._entities[name] = dict(entities)
        return other

    def one(self, table, key):
        self.looks += 1
        return self._entities[table.name].get(tuple(key))

    def group(self, table, group, values):
        self.looks += 1
        return tuple(one for one in self.all(table) if table.group_of(group, one) == tuple(values))

    def page(self, table, prefix, after, limit, group=None):
        self.looks += 1
        prefix, found = tuple(prefix), []
        for one in self.all(table):
            named = table.key_of(one) if group is None else table.group_of(group, one)
            if named[: len(prefix)] == prefix and (after is None or table.key_of(one) > after):
                found.append(one)
        return tuple(found[:limit])

    def count(self, table, group, values):
        return len(self.group(table, group, values))

    def all(self, table):
        """Return all entities of a table, in key order."""
        return [one for _, one in sorted(self._entities[table.name].items())]

    def put(self, table, *entities):
        """Store entities as they are."""
        for entity in entities:
            self._entities[table.name][table.key_of(entity)] = entity
        self.epoch += 1

    def apply(self, writes):
        """Make changes as a store does: all of them, or none if one was decided on old state.

        Raises:
            StoreConflict: an entity is not the one that the change was decided upon.
        """
        for write in writes:
            if isinstance(write, ExpectAtMost):
                continue  # counted once the writes before it are made
            before = self._entities[write.table.name].get(write.table.key_of(write.entity))
            expected = write.before if isinstance(write, Put) else write.entity
            if isinstance(write, Put) and expected is None:
                if before is not None:
                    raise StoreConflict
            elif isinstance(write, Put | Delete | Expect) and before != expected:
                raise StoreConflict
        for write in writes:
            entities = self._entities[write.table.name]
            if isinstance(write, Put):
                entities[write.table.key_of(write.entity)] = write.entity
            elif isinstance(write, Delete):
                del entities[write.table.key_of(write.entity)]
            elif isinstance(write, ExpectAtMost):
                assert len(self.group(write.table, write.group, write.values)) <= write.most
