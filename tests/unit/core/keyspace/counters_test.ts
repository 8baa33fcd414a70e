import { assert, assertEquals } from "@std/assert";
import {
  bucketMicroseconds,
  DURATION_BUCKETS,
  durationBucket,
} from "../../../../src/core/keyspace/counters.ts";

Deno.test("durationBucket counts a duration below its bound", () => {
  for (let bucket = 0; bucket < DURATION_BUCKETS; bucket++) {
    const bound = bucketMicroseconds(bucket);
    assertEquals(durationBucket(bound), bucket);
    assertEquals(
      durationBucket(bound * 1.001),
      Math.min(bucket + 1, DURATION_BUCKETS - 1),
    );
  }
  assertEquals(durationBucket(0), 0);
  assertEquals(durationBucket(1e12), DURATION_BUCKETS - 1);
  assert(bucketMicroseconds(DURATION_BUCKETS - 1) > 8e6);
});
