/** Milliseconds that are looked back. */
const WINDOW = 8000;

/** How fast something goes now: over the last seconds, not since its beginning. */
export class Speedometer {
  /** Note how far it is; times in milliseconds. */
  observe(amount: number, now: number): void {
    const last = this._seen.at(-1);
    if (last && amount < last.amount) {
      // Taken back: what was measured before says nothing any more.
      this._seen.length = 0;
    }
    if (!last || now - last.now >= 250) {
      this._seen.push({ amount, now });
    } else {
      last.amount = Math.max(last.amount, amount);
    }
    while (this._seen.length > 2 && this._seen[1].now < now - WINDOW) {
      this._seen.shift();
    }
  }

  /** A second's worth; null until there is enough to tell. */
  get perSecond(): number | null {
    const first = this._seen.at(0);
    const last = this._seen.at(-1);
    if (!first || !last || last.now - first.now < 1000) {
      return null;
    }
    return ((last.amount - first.amount) * 1000) / (last.now - first.now);
  }

  private readonly _seen: { amount: number; now: number }[] = [];
}
