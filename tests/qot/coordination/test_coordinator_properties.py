"""The whole coordinator under any order of joins, heartbeats, claims, crashes and restarts."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qot.coordination.coordinator import Coordinator, Limits
from qot.coordination.errors import Reason, RefusedError
from qot.coordination.publisher import Silent
from qot.coordination.schemas import NewNode, NewTimeline, NodeChange, ReferenceRequest
from qot.coordination.store import ChangedError, Document, ExistsError, Leader, Store
from qot.coordination.terms import Held, Terms, certain_ns

TERMS = Terms(lease_ns=800, silence_ns=1_000, handover_ns=500_000_000)
LIMITS = Limits(TERMS, session_ns=3_000, drift_ppb=50_000)
LAPSE_NS = certain_ns(3_000, 50_000, 50_000)
NODES = st.sampled_from("abc")


class MemoryStore(Store):
    """A store that forgets nothing while the test runs."""

    def __init__(self):
        self.documents = {}

    def get(self, path):
        return self.documents.get(path)

    def children(self, path):
        below = [name[len(path) + 1 :] for name in self.documents if name.startswith(path + "/")]
        return sorted(name for name in below if "/" not in name)

    def create(self, path, data, *, fleeting=False):
        if path in self.documents:
            raise ExistsError(path)
        self.documents[path] = Document(data, 0)
        return self.documents[path]

    def swap(self, path, data, version):
        if path not in self.documents or self.documents[path].version != version:
            raise ChangedError(path)
        self.documents[path] = Document(data, version + 1)
        return self.documents[path]

    def delete(self, path):
        gone = [name for name in self.documents if name == path or name.startswith(path + "/")]
        for name in gone:
            del self.documents[name]
        return bool(gone)

    def leader(self):
        return Leader("here", is_self=True)

    def close(self):
        pass


class World(RuleBasedStateMachine):
    """``heard``: when each process was heard last, by what the model knows of it."""

    def __init__(self):
        super().__init__()
        self.now_ns = 0
        self.store = MemoryStore()
        self.lives = dict.fromkeys("abc", 0)
        self.heard, self.held = {}, {}
        self.epochs = [0]
        self.granted = {}
        self.restart()
        self.coordinator.add_timeline(NewTimeline(name="wall"))

    def session(self, node):
        return f"{node}{self.lives[node]}"

    @rule(ns=st.sampled_from([1, 100, 799, 800, 1_801, 2_999, LAPSE_NS]))
    def time_passes(self, ns):
        self.now_ns += ns

    @rule(node=NODES, accuracy=st.sampled_from([10**6, 10**9]))
    def join(self, node, accuracy):
        new = NewNode(name=node, session=self.session(node), accuracy=accuracy)
        known = self.heard.get(node)
        if known is not None and known[0] != new.session and self.is_alive(node):
            assert self.refused(self.coordinator.join, "wall", new) is Reason.EXISTS
        else:
            self.coordinator.join("wall", new)
            self.heard[node] = new.session, self.now_ns

    @rule(node=NODES)
    def heartbeat(self, node):
        beat = NodeChange(session=self.session(node), bound_ns=7)
        if self.is_member(node):
            self.coordinator.heartbeat("wall", node, beat)
            self.heard[node] = beat.session, self.now_ns
        else:
            refused = self.refused(self.coordinator.heartbeat, "wall", node, beat)
            assert refused is Reason.NO_SESSION

    @rule(node=NODES, bound_ns=st.integers(1, 400_000))
    def claim(self, node, bound_ns):
        request = ReferenceRequest(node=node, session=self.session(node), bound_ns=bound_ns)
        self.ask(node, request)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def renew(self, data):
        node = data.draw(st.sampled_from(sorted(self.held)))
        epoch = self.held[node].epoch
        self.ask(node, ReferenceRequest(node=node, session=self.session(node), epoch=epoch))

    def ask(self, node, request):
        was_member, refused_as_stranger = self.is_member(node), False
        try:
            view = self.coordinator.ask_reference("wall", request)
        except RefusedError as error:
            refused_as_stranger = error.reason is Reason.NO_SESSION
        else:
            self.held[node] = Held(view.epoch, self.now_ns, view.lease_ns)
            if request.epoch is None and view.epoch in self.granted:
                assert self.granted[view.epoch] == (node, request.session)  # it asked twice
            elif request.epoch is None:
                self.granted[view.epoch] = node, request.session
                self.epochs.append(view.epoch)
        assert refused_as_stranger == (not was_member)
        if was_member:
            self.heard[node] = request.session, self.now_ns

    @rule(node=NODES)
    def crash(self, node):
        self.lives[node] += 1
        self.held.pop(node, None)

    @rule()
    def restart(self):
        """Everyone that the store remembers counts as heard."""
        self.coordinator = Coordinator(self.store, Silent(), LIMITS, lambda: self.now_ns)
        stored = self.store.children("/timelines/wall/nodes")
        self.heard = {node: (self.heard[node][0], self.now_ns) for node in stored}
        if "/timelines/wall" in self.store.documents:
            self.coordinator.nodes("wall")

    @rule()
    def tick(self):
        self.coordinator.tick()

    def is_alive(self, node):
        return self.now_ns - self.heard[node][1] < LAPSE_NS

    def is_member(self, node):
        known = self.heard.get(node)
        return known is not None and known[0] == self.session(node) and self.is_alive(node)

    def refused(self, call, *words):
        try:
            call(*words)
        except RefusedError as error:
            return error.reason
        return None

    @invariant()
    def one_reference_at_most(self):
        serving = [node for node, held in self.held.items() if held.may_serve(self.now_ns)]
        assert len(serving) <= 1

    @invariant()
    def epochs_strictly_increase(self):
        assert self.epochs == list(range(len(self.epochs)))

    @invariant()
    def members_are_those_that_were_heard(self):
        alive = sorted(node for node in self.heard if self.is_alive(node))
        assert [node.name for node in self.coordinator.nodes("wall").nodes] == alive


World.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCoordinator = World.TestCase
