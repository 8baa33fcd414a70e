/** PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import type { TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_ONE = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPT = "-INVALIDOBJ Corrupted HLL object detected";

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

/** Adds the numbers from `from` to before `to`. */
async function add(client: TestClient, key: string, from: number, to: number) {
  for (let at = from; at < to; at += 1000) {
    const argv = ["PFADD", key];
    for (let i = at; i < Math.min(to, at + 1000); i++) argv.push(`${i}`);
    await client.run(...argv);
  }
}

commandSuite("PFADD says whether something was new", async ({ client }) => {
  await expectReplies(client, [
    ["PFCOUNT k", 0],
    ["PFADD k", 1],
    ["PFADD k", 0],
    ["PFCOUNT k", 0],
    ["PFADD k a b c", 1],
    ["PFADD k a b c", 0],
    ["PFADD k c d", 1],
    ["PFCOUNT k", 4],
    ["PFCOUNT k", 4],
    ["TYPE k", "string"],
    ["OBJECT ENCODING k", "raw"],
    [["GETRANGE", "k", "0", "4"], "HYLL\x01"],
    // The cardinality is kept until something changes.
    [["GETRANGE", "k", "8", "15"], "\x04\0\0\0\0\0\0\0"],
    ["PFADD k e", 1],
    [["GETRANGE", "k", "8", "15"], "\x04\0\0\0\0\0\0\x80"],
    ["PFCOUNT k", 5],
  ]);
});

commandSuite(
  "PFCOUNT and PFMERGE unite what several keys have",
  async ({ client }) => {
    await expectReplies(client, [
      [`PFADD ${T}a a b c`, 1],
      [`PFADD ${U}b c d`, 1],
      [`PFCOUNT ${T}a ${U}b ${V}none`, 4],
      [`PFMERGE ${V}d ${T}a ${U}b ${V}none`, "OK"],
      [`PFCOUNT ${V}d`, 4],
      [`PFADD ${V}d e`, 1],
      [`PFMERGE ${V}d ${T}a`, "OK"],
      [`PFCOUNT ${V}d`, 5],
      [`PFMERGE ${T}alone`, "OK"],
      [`EXISTS ${T}alone`, 1],
      [`PFCOUNT ${T}alone`, 0],
      [`PFMERGE ${V}d`, "OK"],
      [`PFCOUNT ${V}d`, 5],
      [`PFMERGE ${T}a ${T}a`, "OK"],
      [`PFCOUNT ${T}a`, 3],
    ]);
  },
);

commandSuite(
  "a HyperLogLog becomes dense and stays near the truth",
  async ({ client }) => {
    await client.run("CONFIG", "SET", "hll-sparse-max-bytes", "3000");
    for (const total of [100, 1000, 20_000]) {
      await add(client, `${T}k`, 0, total);
      const count = Number(await ask(client, `PFCOUNT ${T}k`));
      assert(Math.abs(count - total) <= total * 0.03, `${count} of ${total}`);
      const isDense = total > 3000;
      assertEquals(
        await ask(client, `PFDEBUG ENCODING ${T}k`),
        isDense ? "dense" : "sparse",
      );
      const length = Number(await ask(client, `STRLEN ${T}k`));
      if (isDense) assertEquals(length, 12_304);
      else assert(length <= 3000, `${length}`);
    }
    await add(client, `${U}other`, 10_000, 30_000);
    const union = Number(await ask(client, `PFCOUNT ${T}k ${U}other`));
    assert(Math.abs(union - 30_000) < 900, `${union}`);
    await expectReplies(client, [
      [`PFMERGE ${V}d ${U}other ${T}k`, "OK"],
      [`PFCOUNT ${V}d`, union],
      [`PFDEBUG ENCODING ${V}d`, "dense"],
      ["CONFIG SET hll-sparse-max-bytes 50", "OK"],
      ["PFADD small 1 2 3 4 5", 1],
      ["PFDEBUG ENCODING small", "sparse"],
      ["PFADD small 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", 1],
      ["PFDEBUG ENCODING small", "dense"],
      ["CONFIG SET hll-sparse-max-bytes 3000", "OK"],
    ]);
  },
);

commandSuite("what is no HyperLogLog is refused", async ({ client }) => {
  const header = "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80";
  await expectReplies(client, [
    ["HSET h a 1", 1],
    ["SET s abc", "OK"],
    ["PFADD h a", WRONGTYPE],
    ["PFADD s a", NOT_ONE],
    ["PFCOUNT h", WRONGTYPE],
    ["PFCOUNT s", NOT_ONE],
    ["PFCOUNT none h", WRONGTYPE],
    ["PFCOUNT none s", NOT_ONE],
    ["PFMERGE d s", NOT_ONE],
    ["PFMERGE s", NOT_ONE],
    ["PFMERGE d h", WRONGTYPE],
    ["EXISTS d", 0],
    [["SET", "few", `${header}\x7f\x00`], "OK"],
    ["PFCOUNT few", CORRUPT],
    ["PFCOUNT few few", CORRUPT],
    ["PFMERGE d few", CORRUPT],
    ["PFDEBUG TODENSE few", CORRUPT],
    [["SET", "cut", `${header}\x7f`], "OK"],
    ["PFCOUNT cut", CORRUPT],
    ["PFADD cut a", CORRUPT],
    [["GET", "cut"], `${header}\x7f`],
    [["SET", "long", `${header}${"\x00".repeat(50_000)}`], "OK"],
    ["PFADD long a", CORRUPT],
    ["PFCOUNT long", CORRUPT],
  ]);
});

commandSuite("PFDEBUG shows a HyperLogLog from inside", async ({ client }) => {
  await expectReplies(client, [
    ["PFDEBUG ENCODING none", "-ERR The specified key does not exist"],
    ["PFADD k", 1],
    ["PFDEBUG DECODE k", "Z:16384"],
    ["PFDEBUG BOGUS k", "-ERR Unknown PFDEBUG subcommand 'BOGUS'"],
    ["PFDEBUG todense k", 1],
    ["PFDEBUG TODENSE k", 0],
    ["PFDEBUG DECODE k", "-ERR HLL encoding is not sparse"],
    ["PFDEBUG ENCODING k", "dense"],
    ["PFADD k hello", 1],
  ]);
  const registers = await ask(client, "PFDEBUG GETREG k") as number[];
  assertEquals(registers.length, 16_384);
  assertEquals(registers.reduce((sum, value) => sum + value, 0), 1);
  assertEquals(registers[0x2400], 1);
  assertEquals(await ask(client, "PFSELFTEST"), "OK");
});
