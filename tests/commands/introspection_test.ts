import { assert, assertEquals } from "@std/assert";
import { makeCommandTable } from "../../src/front/server/command_groups.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

commandSuite("HELP names every subcommand", async ({ client }) => {
  const helps = [
    ["CLIENT HELP", "client"],
    ["COMMAND HELP", "command"],
    ["CONFIG HELP", "config"],
    ["LATENCY HELP", "latency"],
    ["MEMORY HELP", "memory"],
    ["OBJECT HELP", "object"],
    ["PUBSUB HELP", "pubsub"],
    ["SLOWLOG HELP", "slowlog"],
    ["XGROUP HELP", "xgroup"],
    ["XINFO HELP", "xinfo"],
  ] as const;
  const table = makeCommandTable();
  for (const [command, name] of helps) {
    const lines = (await ask(client, command) as string[])
      .map((line) => line.toLowerCase());
    assert(lines[0]!.startsWith(`${name} <subcommand>`), lines[0]);
    for (const { spec } of table.byName(name)!.subcommands) {
      assert(
        lines.some((line) => line.split(" ")[0] === spec.name),
        `${command} is silent about ${spec.name}`,
      );
    }
  }
});

commandSuite("COMMAND knows the table", async ({ client, resp }) => {
  const { commands } = makeCommandTable();
  assertEquals(await ask(client, "COMMAND COUNT"), commands.length);
  const all = await ask(client, "COMMAND") as unknown[][];
  assertEquals(
    all.map(([name]) => name).sort(),
    commands.map(({ fullName }) => fullName).sort(),
  );
  const docs = await ask(client, "COMMAND DOCS get") as unknown;
  assertEquals(docs instanceof Map, resp === 3);
  await expectReplies(client, [
    ["COMMAND GETKEYS MSET a 1 b 2", ["a", "b"]],
    ["COMMAND GETKEYS GET a", ["a"]],
    ["COMMAND GETKEYS PING", "-ERR The command has no key arguments"],
    ["COMMAND DOCS nosuch", resp === 3 ? new Map() : []],
  ]);
  const [first] = await ask(
    client,
    "COMMAND GETKEYSANDFLAGS SET a 1",
  ) as unknown[][];
  assertEquals(first![0], "a");
});

commandSuite(
  "MEMORY tells about the allocator in words",
  async ({ client }) => {
    const doctor = await ask(client, "MEMORY DOCTOR");
    assert(typeof doctor === "string" && doctor.length > 0);
    const stats = await ask(client, "MEMORY MALLOC-STATS");
    assert(typeof stats === "string" && stats.length > 0);
  },
);

commandSuite("RESTORE-ASKING is RESTORE", async ({ client }) => {
  await client.run("SET", "key", "value");
  const dumped = await client.run("DUMP", "key");
  assert(dumped.type === "bulk");
  await expectReplies(client, [
    [
      ["RESTORE-ASKING", "key", "0", dumped.value],
      "-BUSYKEY Target key name already exists.",
    ],
    [["RESTORE-ASKING", "other", "0", dumped.value], "OK"],
    ["GET other", "value"],
  ]);
});

commandSuite("PFMERGE without sources has a key", async ({ client }) => {
  await expectReplies(client, [
    ["HSET other field value", 1],
    ["PFMERGE key", "OK"],
    ["PFCOUNT key", 0],
    ["TYPE other", "hash"],
    [
      "PFMERGE other",
      "-WRONGTYPE Operation against a key holding the wrong kind of value",
    ],
  ]);
});

commandSuite("PFSELFTEST finds nothing wrong", async ({ client }) => {
  await expectReplies(client, [["PFSELFTEST", "OK"]]);
}, { workers: [1], resp: [2] });
