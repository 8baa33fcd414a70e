/**
 * EXEC that watches very many keys, which it looks at in slices, and waits for
 * locked ones besides.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import { expectNothingLocked, Holder, texts } from "./_locks.ts";
import { ask } from "./_replies.ts";
import { during, slicesSuite } from "./_slices.ts";
import { Crowd } from "./_waiting.ts";

/** More keys are gone through in slices. */
const AT_ONCE = 40;
/** Watched keys of a shard that may change before all are looked at again. */
const TOUCHED = 64;

const more = ["--background-threshold-keys", String(AT_ONCE)];
const { suite } = slicesSuite({ isLogged: false, more });

/** Keys that take several turns. */
const MANY = 2500;

const names = (prefix: string, count = 3 * AT_ONCE) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

for (const isChanged of [false, true]) {
  suite(
    `EXEC that waited for a lock looks at very many keys again, ${
      isChanged ? "one of which has" : "none of which has"
    } changed`,
    async (client, server) => {
      using crowd = new Crowd(server, client, 2);
      const holder = new Holder(await crowd.join());
      await holder.take("WRITE locked");
      const { client: own, reply } = await crowd.join();
      const watched = names("watched:");
      await ask(own, ["WATCH", ...watched]);
      await ask(own, ["MULTI"]);
      await ask(own, ["SET", "locked", "new"]);
      await own.sendCommands([["EXEC"]]);
      await until("it waits", async () => {
        const info = texts(await ask(client, ["LOCKS", "INFO", "locked"]));
        return info.some((text) => text.startsWith("command write"));
      });
      // Others watch keys of the same shards, and very many changes of theirs come.
      const others = names("other:");
      const { client: other } = await crowd.join();
      await ask(other, ["WATCH", ...others]);
      for (let i = 0; i < TOUCHED; i++) {
        const pairs = others.flatMap((key) => [key, String(i)]);
        await ask(client, ["MSET", ...pairs]);
      }
      if (isChanged) await ask(client, ["SET", watched[7]!, "changed"]);
      await holder.close();
      assertEquals(await reply(), isChanged ? null : ["OK"]);
      assertEquals(
        await ask(client, ["GET", "locked"]),
        isChanged ? null : "new",
      );
      await ask(other, ["UNWATCH"]);
      await expectNothingLocked(client);
    },
  );
}

suite("EXEC that watches very many keys of one shard minds no others", async (
  client,
  server,
) => {
  const [own, ...others] = tagsOnDistinctSlots(server.workers);
  const tag = others[0] ?? own!;
  const pairs = names(`{${tag}}key:`, MANY).flatMap((key) => [key, "value"]);
  using crowd = new Crowd(server, client, 2);
  const { client: watching } = await crowd.join();
  const transact = async () => {
    await ask(watching, ["WATCH", ...names(`{${own}}`)]);
    await ask(watching, ["MULTI"]);
    await ask(watching, ["SET", `{${own}}`, "new"]);
    assertEquals(await ask(watching, ["EXEC"]), ["OK"]);
  };
  let caught = 0;
  for (let i = 0; i < 10; i++) {
    const argv = ["MSET", ...pairs];
    const [stored, isCaught] = await during(server, client, argv, transact);
    assertEquals(stored, "OK");
    caught += Number(isCaught);
  }
  // With one shard it waits for the other command.
  assert(caught > 0 || server.workers === 1);
  await expectNothingLocked(client);
});
