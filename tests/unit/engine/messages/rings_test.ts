import { assert, assertEquals } from "@std/assert";
import { Bell, makeBells } from "../../../../src/engine/messages/bell.ts";
import {
  makeRings,
  type ParcelPort,
  RingPorts,
} from "../../../../src/engine/messages/rings.ts";
import { type Random, seeded } from "../../../_harness.ts";

type Parcel = Parameters<ParcelPort["postMessage"]>[0];

/** A port that delivers when the test says so. */
class SlowPort implements ParcelPort {
  onmessage: ParcelPort["onmessage"] = null;
  peer: SlowPort | null = null;
  readonly inbox: Parcel[] = [];
  sent = 0;

  static pair(): [SlowPort, SlowPort] {
    const [a, b] = [new SlowPort(), new SlowPort()];
    a.peer = b;
    b.peer = a;
    return [a, b];
  }

  postMessage(message: Parcel): void {
    this.sent++;
    this.peer!.inbox.push(message);
  }

  deliver(): void {
    const data = this.inbox.shift();
    if (data === undefined) return;
    this.onmessage!(new MessageEvent("message", { data }));
  }
}

/** Two workers, and what the second one has got. */
function twoWorkers() {
  const buffers = makeRings(2);
  const [a, b] = SlowPort.pair();
  const words = makeBells(2);
  const bells = [0, 1].map((worker) => new Bell(words, worker, null));
  const one = new RingPorts(0, [null, a], buffers, bells);
  const two = new RingPorts(1, [b, null], buffers, bells);
  const got: Uint8Array[] = [];
  two.ports[0]!.onmessage = ({ data }) => void got.push(data);
  one.ports[1]!.onmessage = () => {};
  return { one, two, a, b, got, buffers, bells };
}

function batchOf(number: number, length: number): Uint8Array<ArrayBuffer> {
  const batch = new Uint8Array(length);
  for (let i = 0; i < length; i++) batch[i] = number + i;
  return batch;
}

Deno.test("rings: a batch in the ring is there at once", () => {
  const { one, two, a, got } = twoWorkers();
  const batch = batchOf(7, 100);
  one.ports[1]!.postMessage(batch, [batch.buffer]);
  two.receive();
  two.receive();
  assertEquals(got, [batchOf(7, 100)]);
  assertEquals(a.sent, 0);
});

Deno.test("rings: the bell wakes the one who listens", async () => {
  const { one, two, got, bells } = twoWorkers();
  bells[1]!.listen(() => two.receive(), (run) => void setTimeout(run, 0));
  for (let i = 0; i < 100; i++) {
    one.ports[1]!.postMessage(batchOf(i, 8), []);
    if (i % 3 === 0) await new Promise((wake) => setTimeout(wake, 0));
  }
  while (got.length < 100) await new Promise((wake) => setTimeout(wake, 0));
  assertEquals(got.map((batch) => batch[0]), [...Array(100).keys()]);
  // The wait for the bell would outlive the test.
  two.ports[0]!.onmessage = () => {};
});

Deno.test("rings: what does not fit overtakes nothing", () => {
  const { one, two, a, b, got } = twoWorkers();
  const lengths = [10, 70_000, 20, 65_000, 65_520, 0, 30];
  lengths.forEach((length, i) => {
    one.ports[1]!.postMessage(batchOf(i, length), []);
  });
  two.receive();
  assertEquals(got.length, 1);
  while (b.inbox.length > 0) b.deliver();
  assertEquals(got.map((batch) => batch.length), lengths);
  got.forEach((batch, i) => assertEquals(batch, batchOf(i, lengths[i]!)));
  assert(a.sent > 0 && a.sent < lengths.length);
});

Deno.test("rings: batches of several workers come in their order", () => {
  const buffers = makeRings(4);
  const words = makeBells(4);
  const bells = [0, 1, 2, 3].map((worker) => new Bell(words, worker, null));
  const ends = Array.from({ length: 4 }, (_, self) => {
    const ports = Array.from(
      { length: 4 },
      (_, peer) => peer === self ? null : SlowPort.pair()[0],
    );
    return new RingPorts(self, ports, buffers, bells);
  });
  const got: number[] = [];
  for (const port of ends[2]!.ports) {
    if (port !== null) port.onmessage = ({ data }) => void got.push(data[0]!);
  }
  const senders = [3, 0, 1, 3, 3, 0, 1, 0];
  senders.forEach((sender, i) => {
    ends[sender]!.ports[2]!.postMessage(batchOf(i, 20), []);
  });
  ends[2]!.receive();
  assertEquals(got, senders.map((_, i) => i));
});

Deno.test("rings: many workers have small rings", () => {
  assertEquals(makeRings(1).rings.byteLength, 0);
  assertEquals(makeRings(2).ringBytes, 65536);
  assert(makeRings(64).rings.byteLength < 20 << 20);
});

seeded("rings: batches come whole and in order", (random: Random) => {
  const { one, two, a, b, got } = twoWorkers();
  const sent: Uint8Array[] = [];
  for (let step = 0; step < 4000; step++) {
    switch (random.below(4)) {
      case 0:
        b.deliver();
        break;
      case 1:
        two.receive();
        break;
      default: {
        const length = random.chance(0.02)
          ? random.below(200_000)
          : random.below(random.pick([8, 300, 5000]));
        const batch = batchOf(random.below(256), length);
        sent.push(batch.slice());
        one.ports[1]!.postMessage(batch, []);
      }
    }
  }
  while (b.inbox.length > 0) b.deliver();
  two.receive();
  assertEquals(got.length, sent.length);
  got.forEach((batch, i) => assertEquals(batch, sent[i]));
  assert(a.sent > 0 && a.sent < sent.length / 2);
});
