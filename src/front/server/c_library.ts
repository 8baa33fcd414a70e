/**
 * The C library of the system, for hints that everything works without.
 *
 * @module
 */

import { mayCallSystem } from "./host_facts.ts";

/**
 * The functions named, or null where they cannot be called: on another system or
 * library, or without the permission for foreign functions. To be closed.
 */
export function openCLibrary<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S> | null {
  if (!mayCallSystem()) return null;
  try {
    return Deno.dlopen("libc.so.6", symbols);
  } catch {
    return null;
  }
}
