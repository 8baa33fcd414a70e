import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";

/** Throws without the help of the package under test. */
function demand(condition: boolean, text: string) {
  if (!condition) throw new Error(text);
}

/** The message of the failure that `fn` must be. */
function failure(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    demand(error instanceof AssertionError, "throws an AssertionError");
    return (error as Error).message;
  }
  throw new Error(`does not fail: ${fn}`);
}

Deno.test("equal() compares contents", () => {
  const cycle = () => {
    const value: { self?: unknown; n: number } = { n: 1 };
    value.self = value;
    return value;
  };
  const same: [unknown, unknown][] = [
    [NaN, NaN],
    [0, -0],
    ["a", "a"],
    [{ a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
    [Object.create(null), {}],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [new Map([["a", [1]], ["b", [2]]]), new Map([["b", [2]], ["a", [1]]])],
    [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]])],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new Error("a", { cause: 1 }), new Error("a", { cause: 1 })],
    [cycle(), cycle()],
    [10n, 10n],
  ];
  for (const [a, b] of same) demand(equal(a, b), Deno.inspect([a, b]));
  const different: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [1, 1n],
    [{}, []],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[1, 2], [1, 2, 3]],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
    [Uint8Array.of(1), Uint8Array.of(1, 1)],
    [Uint8Array.of(1), Uint16Array.of(1)],
    [Uint8Array.of(1), [1]],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Map([["a", 1]]), new Map([["b", 1]])],
    [new Set([1, 2]), new Set([1, 3])],
    [new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])],
    [new Date(5), new Date(6)],
    [/a/g, /a/],
    [new Error("a"), new Error("b")],
    [new Error("a"), new TypeError("a")],
  ];
  for (const [a, b] of different) demand(!equal(a, b), Deno.inspect([a, b]));
});

Deno.test("assertEquals() shows the difference", () => {
  assertEquals([1, { a: 2 }], [1, { a: 2 }]);
  const message = failure(() => assertEquals({ a: 1, b: 2 }, { a: 1, b: 3 }));
  assertMatch(message, /^Values are not equal\.\n/);
  assertStringIncludes(message, "\n-     b: 2,\n+     b: 3,\n");
  assertStringIncludes(failure(() => assertEquals(1, 2, "one")), "equal: one");
});

Deno.test("assertions pass and fail", () => {
  assert(1);
  assertFalse("");
  assertNotEquals([1], [2]);
  assertStrictEquals(NaN, NaN);
  assertMatch("abc", /b/g);
  assertStringIncludes("abc", "bc");
  assertGreater(2, 1);
  assertGreaterOrEqual(2, 2);
  assertLess(1n, 2n);
  assertLessOrEqual("a", "a");
  assertExists(0);
  assertInstanceOf(new TypeError(), Error);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 12, 2);

  assertEquals(failure(() => assert(0, "none")), "none");
  failure(() => assertFalse(1));
  failure(() => assertNotEquals([1], [1]));
  failure(() => assertStrictEquals(0, -0));
  failure(() => assertStrictEquals({}, {}));
  failure(() => assertMatch("abc", /d/));
  failure(() => assertStringIncludes("abc", "cb"));
  failure(() => assertGreater(2, 2));
  failure(() => assertGreaterOrEqual(1, 2));
  failure(() => assertLess(2, 2));
  failure(() => assertLessOrEqual(3, 2));
  failure(() => assertExists(null));
  failure(() => assertInstanceOf({}, Error));
  failure(() => assertAlmostEquals(1, 1.001));
  failure(() => fail("so"));
  failure(() => unreachable());
});

Deno.test("assertThrows() returns the error it expects", () => {
  const thrower = (error: unknown) => () => {
    throw error;
  };
  assertEquals(assertThrows(thrower(5)), 5);
  const error: RangeError = assertThrows(
    thrower(new RangeError("too long")),
    RangeError,
    "long",
  );
  assertEquals(error.message, "too long");
  failure(() => assertThrows(() => 1));
  failure(() => assertThrows(thrower(new Error("a")), TypeError));
  failure(() => assertThrows(thrower(new Error("a")), Error, "b"));
  failure(() => assertThrows(thrower("a"), Error));
});

Deno.test("assertRejects() returns the error it expects", async () => {
  const error = await assertRejects(
    () => Promise.reject(new TypeError("not this")),
    TypeError,
    "this",
  );
  assertEquals(error.message, "not this");
  assertEquals(await assertRejects(() => Promise.reject(5)), 5);
  const refused = [
    () => assertRejects(() => Promise.resolve(1)),
    () => assertRejects(() => Promise.reject(new Error("a")), TypeError),
    () => assertRejects(() => Promise.reject(new Error("a")), Error, "b"),
    () =>
      assertRejects(() => {
        throw new Error("at once");
      }),
  ];
  for (const fn of refused) await assertRejects(fn, AssertionError);
});
