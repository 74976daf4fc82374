import { group, labels, recentFork } from '../history-model';
import { PATIENCE, Waiting } from '../waiting';
import type { ISnapshot, ISnapshotStatus } from '../records';

function snapshot(time: string, tags: string[] = []): ISnapshot {
  return { id: time, short_id: time, time, tags } as unknown as ISnapshot;
}

function status(state: ISnapshotStatus['state'], more: Partial<ISnapshotStatus> = {}) {
  return { state, pending: 0, durable: null, ...more } as ISnapshotStatus;
}

describe('the timeline', () => {
  const now = new Date(2026, 10, 21, 12, 30).getTime();
  const at = (day: number, hour: number, minute: number) =>
    snapshot(new Date(2026, 10, day, hour, minute).toISOString());

  it('has an hour for the last day, and a day for what is older', () => {
    const groups = group(
      [at(21, 12, 20), at(21, 12, 0), at(21, 11, 59), at(20, 12, 31), at(20, 12, 29), at(20, 1, 0)],
      now
    );
    expect(groups.map(each => [each.hour, each.snapshots.length])).toEqual([
      [true, 2],
      [true, 1],
      [true, 1],
      [false, 2]
    ]);
    expect(groups[3].time).toEqual(new Date(2026, 10, 20));
    expect(new Set(groups.map(each => each.key)).size).toBe(4);
  });

  it('is empty without snapshots', () => {
    expect(group([], now)).toEqual([]);
  });

  it('shows what a person gave', () => {
    expect(labels(snapshot('', ['workspace:w', 'name:before: the talk', 'pinned']))).toEqual({
      name: 'before: the talk',
      pinned: true
    });
    expect(labels(snapshot(''))).toEqual({ name: '', pinned: false });
  });
});

describe('a fork', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  const of = (id: string, fork: string | null, parent: string | null = null, time = id) =>
    ({ id, fork, parent, time: `2026-11-21T${time}:00Z` }) as ISnapshot;

  it('is news for an hour, the newest one', () => {
    expect(recentFork([of('11:50', null), of('11:40', 'b'), of('11:30', 'a')], now)?.id).toBe(
      '11:40'
    );
    expect(recentFork([of('11:50', null), of('10:59', 'b')], now)).toBeNull();
    expect(recentFork([of('11:50', null)], now)).toBeNull();
  });

  it('is none any more when it has become the main line', () => {
    const all = [of('11:55', null, '11:50'), of('11:50', 'b', '11:45'), of('11:45', 'b')];
    expect(recentFork(all, now)).toBeNull();
    expect(recentFork([of('11:56', 'c'), ...all], now)?.fork).toBe('c');
  });
});

describe('the warning', () => {
  it('comes when changes have waited for a minute, and not before', () => {
    const waiting = new Waiting();
    const pending = status('waiting', { pending: 1 });
    expect(waiting.tooLong(pending, 1000)).toBe(false);
    expect(waiting.tooLong(pending, 1000 + PATIENCE)).toBe(false);
    expect(waiting.tooLong(pending, 1001 + PATIENCE)).toBe(true);
    expect(waiting.tooLong(status('ok'), 1002 + PATIENCE)).toBe(false);
    expect(waiting.tooLong(pending, 1003 + PATIENCE)).toBe(false);
  });

  it('does not come while what was changed becomes safe bit by bit', () => {
    const waiting = new Waiting();
    const start = Date.parse('2026-11-21T10:00:00Z');
    for (let minute = 0; minute < 5; minute++) {
      const durable = new Date(start + minute * 60_000 - 5000).toISOString();
      const now = start + minute * 60_000;
      expect(waiting.tooLong(status('capturing', { pending: 3, durable }), now)).toBe(false);
    }
  });

  it('comes for an error too, also without a known change', () => {
    const waiting = new Waiting();
    expect(waiting.tooLong(status('error'), 0)).toBe(false);
    expect(waiting.tooLong(status('error'), PATIENCE + 1)).toBe(true);
  });

  it('does not come where nothing waits: after hours of rest, at the first change', () => {
    const waiting = new Waiting();
    const durable = '2026-11-21T10:00:00Z';
    const now = Date.parse('2026-11-21T15:00:00Z');
    expect(waiting.tooLong(status('ok', { durable }), now)).toBe(false);
    expect(waiting.tooLong(status('waiting', { durable, pending: 1 }), now)).toBe(false);
    expect(waiting.tooLong(null, now)).toBe(false);
  });
});
