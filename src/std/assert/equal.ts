/**
 * Deep equality, as the assertions understand it.
 *
 * @module
 */

/**
 * Whether two values are deeply equal: the same primitives (NaN is NaN, and 0
 * is -0), or objects of the same kind with equal contents. Sets and the keys of
 * maps have no order; cycles are allowed.
 */
export function equal(a: unknown, b: unknown): boolean {
  // Most of what is compared, in tests that compare a million times, is equal
  // at once.
  return a === b || compare(a, b, new Map());
}

/** Pairs that are being compared further up: taken for equal. */
type Assumed = Map<object, Set<object>>;

function compare(a: unknown, b: unknown, assumed: Assumed): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (kindOf(a) !== kindOf(b)) return false;

  if (a instanceof Date) {
    return Object.is(a.getTime(), (b as Date).getTime());
  }
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError("Cannot compare weak collections");
  }
  if (a instanceof WeakRef) {
    return compare(a.deref(), (b as WeakRef<object>).deref(), assumed);
  }
  if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
    return equalBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (a instanceof Uint8Array) return equalBytes(a, b as Uint8Array);

  const partners = assumed.get(a);
  if (partners?.has(b)) return true;
  if (partners) partners.add(b);
  else assumed.set(a, new Set([b]));

  if (a instanceof Map) {
    return equalEntries([...a], [...b as Map<unknown, unknown>], assumed);
  }
  if (a instanceof Set) {
    const pairs = (set: Set<unknown>) => [...set].map((x) => [x, 0] as Entry);
    return equalEntries(pairs(a), pairs(b as Set<unknown>), assumed);
  }
  if (a instanceof Error && !equalErrors(a, b as Error, assumed)) return false;
  return equalProperties(a, b, assumed);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What an object is made by; objects without a prototype are plain. */
function kindOf(value: object): unknown {
  return Object.getPrototypeOf(value)?.constructor ?? Object;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The parts of an error that are not enumerable; never the stack. */
function equalErrors(a: Error, b: Error, assumed: Assumed): boolean {
  return a.name === b.name && a.message === b.message &&
    compare(a.cause, b.cause, assumed);
}

type Entry = [key: unknown, value: unknown];

/** Each entry of one side takes an entry of the other that nobody has taken. */
function equalEntries(a: Entry[], b: Entry[], assumed: Assumed): boolean {
  if (a.length !== b.length) return false;
  const byKey = new Map(b);
  const rest: Entry[] = [];
  for (const [key, value] of a) {
    if (isObject(key)) {
      rest.push([key, value]);
      continue;
    }
    if (!byKey.has(key) || !compare(value, byKey.get(key), assumed)) {
      return false;
    }
  }
  const free = new Set(b.filter(([key]) => isObject(key)));
  return rest.every(([key, value]) => {
    for (const entry of free) {
      if (
        compare(key, entry[0], assumed) && compare(value, entry[1], assumed)
      ) return free.delete(entry);
    }
    return false;
  });
}

function equalProperties(a: object, b: object, assumed: Assumed): boolean {
  const keys = enumerableKeys(a);
  if (keys.length !== enumerableKeys(b).length) return false;
  return keys.every((key) =>
    Object.hasOwn(b, key) &&
    compare(Reflect.get(a, key), Reflect.get(b, key), assumed)
  );
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}
