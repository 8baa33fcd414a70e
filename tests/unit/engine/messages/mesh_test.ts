import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Mesh } from "../../../../src/engine/messages/mesh.ts";
import { COMMAND_RECORD } from "../../../../src/engine/messages/record_kinds.ts";
import { FakePort, settle } from "./_port_pair.ts";

/** Three workers, every two connected. */
function threeWorkers(): { meshes: Mesh[]; ports: FakePort[] } {
  const ends: (FakePort | null)[][] = [
    [null, null, null],
    [null, null, null],
    [null, null, null],
  ];
  const ports: FakePort[] = [];
  for (let i = 0; i < 3; i++) {
    for (let j = i + 1; j < 3; j++) {
      const [a, b] = FakePort.pair();
      ends[i]![j] = a;
      ends[j]![i] = b;
      ports.push(a, b);
    }
  }
  return { meshes: ends.map((row, i) => new Mesh(i, row)), ports };
}

const KIND = COMMAND_RECORD;

Deno.test("Mesh sends all records of one turn in one message", async () => {
  const { meshes, ports } = threeWorkers();
  const seen: number[] = [];
  for (const mesh of meshes) {
    mesh.handle(KIND, (_from, reader) => seen.push(reader.u32()));
  }
  for (let i = 0; i < 100; i++) meshes[0]!.record(1, KIND).u32(i);
  assertEquals(seen, []);
  await settle(ports);
  assertEquals(seen, Array.from({ length: 100 }, (_, i) => i));
  assertEquals(ports[0]!.sent, 1);
});

Deno.test("Mesh asks every worker, itself included, in order", async () => {
  const { meshes, ports } = threeWorkers();
  meshes.forEach((mesh, i) =>
    mesh.answer("double", (n) => [i, (n as number) * 2])
  );
  const answers = meshes[2]!.ask("double", 21);
  await settle(ports);
  assertEquals(await answers, [[0, 42], [1, 42], [2, 42]]);
});

Deno.test("Mesh keeps the order of records and questions to one peer", async () => {
  const { meshes, ports } = threeWorkers();
  const seen: string[] = [];
  for (const mesh of meshes) {
    mesh.handle(KIND, (_from, reader) => seen.push(`record ${reader.u32()}`));
    mesh.answer("note", (what) => {
      if (mesh.self === 1) seen.push(`question ${what}`);
      return null;
    });
  }
  meshes[0]!.record(1, KIND).u32(1);
  const asked = meshes[0]!.ask("note", 2);
  meshes[0]!.record(1, KIND).u32(3);
  await settle(ports);
  await asked;
  assertEquals(seen, ["record 1", "question 2", "record 3"]);
});

Deno.test("Mesh holds back what a peer has not handled, and loses nothing", async () => {
  const { meshes, ports } = threeWorkers();
  const big = new Uint8Array(1024 * 1024);
  let received = 0;
  for (const mesh of meshes) {
    mesh.handle(KIND, (_from, reader) => received += reader.bytes().length);
  }
  // Each turn adds a megabyte, but nothing is delivered: the window fills.
  for (let i = 0; i < 20; i++) {
    meshes[0]!.record(1, KIND).bytes(big, 0, big.length);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const underWay = ports[0]!.sent;
  assertEquals(underWay < 20, true, `${underWay} batches are under way`);
  await settle(ports);
  assertEquals(received, 20 * big.length);
});

Deno.test("Mesh refuses a second handler and a question nobody answers", async () => {
  const { meshes } = threeWorkers();
  meshes[0]!.handle(KIND, () => {});
  assertThrows(() => meshes[0]!.handle(KIND, () => {}), Error, "one handler");
  await assertRejects(
    // The asker itself has no answer either.
    // deno-lint-ignore require-await
    async () => meshes[0]!.ask("unknown", null),
    Error,
    "has an answerer",
  );
});
