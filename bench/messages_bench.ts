/**
 * Messages between workers: framing, and the mesh over real channels.
 *
 * Traps:
 * - Both ends live in one thread here, so a round trip has no wake-up of another
 *   core in it: it shows what the mesh and the channel cost, not how long a
 *   forwarded command waits.
 * - A round trip alone pays for a turn of the event loop at both ends; 64 under
 *   way share it, as commands of many connections do.
 *
 * @module
 */

import { FrameReader, FrameWriter } from "../src/engine/messages/frame.ts";
import { Mesh } from "../src/engine/messages/mesh.ts";
import { COMMAND_RECORD } from "../src/engine/messages/record_kinds.ts";
import { Bell, makeBells } from "../src/engine/messages/bell.ts";
import { makeRings, RingPorts } from "../src/engine/messages/rings.ts";

const RECORDS = 64;
const PAYLOAD = new Uint8Array(64).fill(120);

Deno.bench(`${RECORDS} records written and read`, { group: "frame" }, () => {
  const writer = new FrameWriter();
  for (let i = 0; i < RECORDS; i++) {
    writer.u8(COMMAND_RECORD);
    writer.u32(i);
    writer.bytes(PAYLOAD, 0, PAYLOAD.length);
  }
  const reader = new FrameReader(writer.take());
  while (!reader.isAtEnd) {
    reader.u8();
    reader.u32();
    reader.bytes();
  }
});

/** Two meshes over a channel; the second one sends every record back. */
function connect(): { there: Mesh; close: () => void; onEcho: () => void } {
  const { port1, port2 } = new MessageChannel();
  const rings = makeRings(2);
  const words = makeBells(2);
  const bells = [0, 1].map((worker) => new Bell(words, worker, null));
  const [there, back] = [[null, port1], [port2, null]].map((ports, self) => {
    const ring = new RingPorts(self, ports, rings, bells);
    const mesh = new Mesh(self, ring.ports);
    bells[self]!.listen(() => ring.receive(), (run) => setImmediate(run));
    return mesh;
  }) as [Mesh, Mesh];
  const pair = {
    there,
    close: () => {
      port1.close();
      port2.close();
    },
    onEcho: () => {},
  };
  back.handle(COMMAND_RECORD, (from, reader) => {
    const bytes = reader.bytes();
    back.record(from, COMMAND_RECORD).bytes(bytes, 0, bytes.length);
  });
  there.handle(COMMAND_RECORD, (_from, reader) => {
    reader.bytes();
    pair.onEcho();
  });
  return pair;
}

async function roundTrips(count: number): Promise<void> {
  const pair = connect();
  let missing = count;
  const done = new Promise<void>((resolve) => {
    pair.onEcho = () => {
      if (--missing === 0) resolve();
    };
  });
  for (let i = 0; i < count; i++) {
    pair.there.record(1, COMMAND_RECORD).bytes(PAYLOAD, 0, PAYLOAD.length);
  }
  await done;
  pair.close();
}

Deno.bench("1 round trip", { group: "mesh" }, () => roundTrips(1));
Deno.bench(`${RECORDS} round trips at once`, { group: "mesh" }, () => {
  return roundTrips(RECORDS);
});
