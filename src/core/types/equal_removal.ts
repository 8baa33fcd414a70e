/**
 * Removals from lists that are gone on with later.
 *
 * @module
 */

/** How far the removal of equal elements has come. */
export class EqualRemoval {
  /** The first element that has not been looked at. */
  from = 0;
  /** The one behind the last of these. */
  to = 0;
  /** Elements removed. */
  removed = 0;

  /** Begins with a list of so many elements. */
  begin(length: number): void {
    this.from = this.removed = 0;
    this.to = length;
  }
}
