import { assertEquals } from "@std/assert";
import { World } from "../../../_world.ts";

Deno.test("a number of keys that is refused is no work at all", async () => {
  for (const command of ["ZDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE"]) {
    // Nobody has named a second key before.
    const world = new World({ arenaBytes: 1 << 20 });
    const reply = await world.run(world.session(), [command, "to", "0", "a"]);
    const name = command.toLowerCase();
    assertEquals(
      (reply as Error).message,
      `ERR at least 1 input key is needed for '${name}' command`,
    );
  }
});
