import { assertEquals, assertRejects } from "@std/assert";
import { deadline, delay, retry, RetryError } from "@std/async";

Deno.test("delay() ends by time or by its signal", async () => {
  await delay(1);
  const abort = new AbortController();
  const waiting = delay(60_000, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(() => delay(1, { signal: abort.signal }), Error);
});

Deno.test("deadline() settles with the promise, or is late", async () => {
  assertEquals(await deadline(Promise.resolve(1), 60_000), 1);
  const never = new Promise<never>(() => {});
  const late = await assertRejects(() => deadline(never, 1), DOMException);
  assertEquals(late.name, "TimeoutError");
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => deadline(never, 60_000, { signal }),
    Error,
    "enough",
  );
});

Deno.test("retry() calls again until it succeeds or gives up", async () => {
  let calls = 0;
  const failing = (times: number) => () => {
    if (++calls <= times) throw new Error(`attempt ${calls}`);
    return calls;
  };
  const options = { minTimeout: 1, maxTimeout: 2, maxAttempts: 3 };
  assertEquals(await retry(failing(2), options), 3);

  calls = 0;
  const error = await assertRejects(
    () => retry(failing(9), options),
    RetryError,
  );
  assertEquals((error.cause as Error).message, "attempt 3");

  calls = 0;
  await assertRejects(
    () => retry(failing(9), { ...options, isRetriable: () => false }),
    Error,
    "attempt 1",
  );
  await assertRejects(
    () => retry(() => 1, { ...options, jitter: 2 }),
    RangeError,
  );
});
