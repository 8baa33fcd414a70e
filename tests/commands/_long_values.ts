/**
 * What tests of long values share: the same commands for two servers, what comes
 * of them, and that no memory is lost.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { equalBytes } from "../../src/core/base/bytes.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { settled } from "./_slices.ts";

/** As an assertion of equal bytes, which does not print megabytes. */
export function assertSame(
  actual: Uint8Array,
  expected: Uint8Array,
  name: string,
): void {
  const { length } = expected;
  assert(
    actual.length === length &&
      equalBytes(actual, 0, length, expected, 0, length),
    name,
  );
}

/** Sends commands to both servers, whose replies must be the same. */
export async function assertSameReplies(
  client: TestClient,
  reference: TestClient,
  commands: readonly Argument[][],
  name: string,
): Promise<void> {
  const expected = (await reference.pipelineFrames(commands))
    .map(({ raw }) => raw.slice());
  const actual = await client.pipelineFrames(commands);
  for (const [i, { raw }] of actual.entries()) {
    const words = commands[i]!.map((word) => String(word).slice(0, 20));
    assertSame(raw, expected[i]!, `${name}: ${words}`);
  }
}

/**
 * What the keys have must be the same on both servers, and what the log brings
 * back; then the keys are deleted, and nothing may be left of them.
 */
export async function assertSameValues(
  client: TestClient,
  reference: TestClient,
  keys: readonly string[],
  valuesOf: (client: TestClient) => Promise<Uint8Array[]>,
): Promise<void> {
  const before = await valuesOf(client);
  for (const [i, value] of (await valuesOf(reference)).entries()) {
    assertSame(before[i]!, value, `value ${i}`);
  }
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  for (const [i, value] of (await valuesOf(client)).entries()) {
    assertSame(value, before[i]!, `value ${i} from the log`);
  }
  await reference.run("DEL", ...keys);
  await assertNothingLost(client, keys);
}

/** Deletes the keys; all their memory must be free then. */
export async function assertNothingLost(
  client: TestClient,
  keys: readonly string[],
): Promise<void> {
  await client.run("DEL", ...keys);
  await until("all memory is free", async () => {
    const info = String(plain(await client.run("INFO", "memory")));
    return Number(/used_memory_dataset:(\d+)/.exec(info)![1]) < 1 << 19;
  });
}

/** Sends commands of which the reply of the first is too long to be taken yet. */
export async function beginReading(
  reader: TestClient,
  client: TestClient,
  commands: readonly (readonly Argument[])[],
): Promise<void> {
  const id = String(plain(await reader.run("CLIENT", "ID")));
  await reader.sendCommands(commands);
  await until("it is being read", async () => {
    const list = plain(await client.run("CLIENT", "LIST", "ID", id));
    return /cmd=(\w+)/.exec(String(list))![1] !== "client";
  });
}
