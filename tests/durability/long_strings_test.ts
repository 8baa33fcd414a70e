/**
 * Long strings are there after a restart, whatever words brought them and however
 * the log is synced.
 */
import { assertEquals } from "@std/assert";
import {
  assertSameValues,
  longCommands,
  valuesOf,
} from "../commands/_long_strings.ts";
import { plain } from "../_resp_client.ts";
import { Victim, withDirectory } from "./_victim.ts";

for (const policy of ["everysec", "always"]) {
  Deno.test(`long strings are there after a restart: ${policy}`, () =>
    withDirectory(async (directory) => {
      const args = ["--appendfsync", policy];
      const options = { directory, workers: 2, args };
      let before = new Map();
      {
        const victim = await Victim.start(options);
        using client = await victim.client();
        using other = await victim.client();
        const commands = longCommands();
        const half = commands.length >> 1;
        await Promise.all([
          client.pipeline(commands.slice(0, half)),
          other.pipeline(commands.slice(half)),
        ]);
        before = await valuesOf(client);
        assertEquals(plain(await client.run("WAITAOF", "1", "0", "0")), [1, 0]);
        // Killed under `always`, ended in order else.
        if (policy === "always") await victim.kill();
        else await victim.stop();
      }
      const victim = await Victim.start(options);
      using client = await victim.client();
      assertSameValues(await valuesOf(client), before);
      await victim.stop();
    }));
}
