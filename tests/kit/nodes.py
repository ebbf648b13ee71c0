"""Several nodes on one PostgreSQL, each a real server with a data folder of its own.

    with nodes(3) as cluster:
        kms = cluster[0].client()
        ...
        cluster[1].server.kill()
        cluster.start(1)

The database is one for each cluster, of a server that lives as long as it. Nothing here waits
without a bound.
"""

import contextlib
import json

import serving
from kit.postgres import Server


class Node:
    """One node: its data folder, and the server that serves it, if one does."""

    def __init__(self, data, made):
        self.data, self.made, self.server = data, made, None

    @property
    def id(self):
        return (self.data / "node-id").read_text().strip()

    @property
    def url(self):
        return self.server.url

    @property
    def pids(self):
        return self.server.pids

    def client(self, service="kms", **settings):
        """Return a client of this node; by default as the root user of the operators' account."""
        return self.server.client(service, **settings)

    def start(self, *options):
        arguments = ["serve", "--data", self.data, "--listen", "127.0.0.1:0", *options]
        self.server = serving.Server(arguments, data=self.data, made=self.made).wait_ready()
        return self

    def stop(self):
        """Stop the server in order, if it runs."""
        if self.server is not None and self.server.process.poll() is None:
            self.server.stop()

    def kill(self):
        """End all of its processes at once, as a machine that loses power does."""
        self.server.kill()


class Cluster:
    """The nodes, in the order in which they joined, and the database that they share."""

    def __init__(self, folder, database, url, options):
        self.folder, self.database, self.url, self._options = folder, database, url, options
        self.nodes, self.made = [], None

    def __getitem__(self, number):
        return self.nodes[number]

    def __iter__(self):
        return iter(self.nodes)

    def __len__(self):
        return len(self.nodes)

    def add(self, *, start=True):
        """Make the first node, or have a further one join; serve it."""
        data = self.folder / f"node{len(self.nodes)}"
        if not self.nodes:
            self.made = serving.init(data, "--store", self.url)
        else:
            key = self.nodes[0].data / "seal.key"
            joined = serving.run(
                *("join", "--data", data, "--store", self.url, "--root", key),
                *("--output", "json"),
                check=True,
            )
            assert json.loads(joined.stdout)["opens"]
        node = Node(data, self.made)
        self.nodes.append(node)
        return node.start(*self._options) if start else node

    def start(self, number, *options):
        """Serve a node that does not run, with the options of all and further ones."""
        return self.nodes[number].start(*self._options, *options)

    def holder(self):
        """Return the number of the node that does what time asks for; None if nobody does."""
        living = next(node for node in self.nodes if node.server.process.poll() is None)
        listed = living.client("kagimori").list_nodes()["Nodes"]
        ids = [node.id for node in self.nodes]
        found = [ids.index(one["NodeId"]) for one in listed if one["HoldsLease"]]
        return found[0] if found else None


@contextlib.contextmanager
def nodes(count=3, *options, database=None):
    """Yield a cluster of so many nodes, each served with these options.

    `database` is a running `kit.postgres.Server`; without one, it has one of its own.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(serving.temporary_folder())
        if database is None:
            database = Server()
            stack.callback(database.remove)
        cluster = Cluster(folder, database, database.new_database(), options)
        stack.callback(lambda: _end(cluster))
        for _ in range(count):
            cluster.add()
        yield cluster


def _end(cluster):
    for node in cluster:
        if node.server is not None and node.server.process.poll() is None:
            node.server.kill()
