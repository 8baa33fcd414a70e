/**
 * What a bench has to undo, whether it ends or is interrupted.
 *
 * @module
 */

const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** What is to be undone, the last first. */
const pending: (() => void)[] = [];

/** Undoes all that is to be undone, and ends the bench. */
export function end(code: number): never {
  for (const undo of pending.reverse()) undo();
  Deno.exit(code);
}

function interrupt(): void {
  end(130);
}

/** Undoes something when what is returned is disposed of, or at an interrupt. */
export function undoAtEnd(undo: () => void): Disposable {
  if (pending.length === 0) {
    for (const name of INTERRUPTS) Deno.addSignalListener(name, interrupt);
  }
  pending.push(undo);
  return {
    [Symbol.dispose]() {
      pending.splice(pending.indexOf(undo), 1);
      undo();
      if (pending.length > 0) return;
      for (const name of INTERRUPTS) Deno.removeSignalListener(name, interrupt);
    },
  };
}
