/** Who takes elements away can do so when memory is short. */
import { assert, assertEquals } from "@std/assert";
import { ReplyError } from "../../../_resp_reply.ts";
import { World } from "../../../_world.ts";

const LIST = Array.from({ length: 9001 }, (_, i) => `element:${i}`);
const MEMBERS = Array.from({ length: 1500 }, (_, i) => `m${1000 + i}`);
const ZSET = MEMBERS.flatMap((member, i) => [String(i), member]);

/** Leaves room for nothing. */
function fillUp({ keyspaces }: World): void {
  for (const { heap } of keyspaces) {
    for (let units = 1 << 14; units > 0; units >>= 1) {
      while (heap.tryAllocate(units) !== 0);
    }
  }
}

for (const nodeElements of [-2, 1]) {
  Deno.test(`many elements are popped in a full arena (list-max-listpack-size ${nodeElements})`, () => {
    const world = new World({ arenaBytes: 8 << 20 });
    const session = world.session();
    const run = (...argv: string[]) => world.run(session, argv);
    world.settings.set([["list-max-listpack-size", String(nodeElements)]]);
    run("RPUSH", "list", ...LIST);
    run("ZADD", "zset", ...ZSET);
    fillUp(world);
    assert(run("SET", "key", "value") instanceof ReplyError);
    assertEquals(run("LPOP", "list", "8500"), LIST.slice(0, 8500));
    const rest = LIST.slice(8500);
    assertEquals(run("RPOP", "list", "400"), rest.toReversed().slice(0, 400));
    assertEquals(run("LRANGE", "list", "0", "-1"), rest.slice(0, -400));
    assertEquals(run("ZPOPMIN", "zset", "1100"), [
      ...MEMBERS.slice(0, 1100).flatMap((member, i) => [member, String(i)]),
    ]);
    assertEquals(run("ZRANGE", "zset", "0", "-1"), MEMBERS.slice(1100));
  });
}
