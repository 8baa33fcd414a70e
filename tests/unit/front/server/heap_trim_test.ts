/** Memory that the C library keeps: src/front/server/heap_trim.ts. */
import { trimHeaps } from "../../../../src/front/server/heap_trim.ts";

Deno.test("memory of a thread's start is given back, and again", async () => {
  await trimHeaps();
  await Promise.all([trimHeaps(), trimHeaps()]);
});
