import type { SupervisedCall } from './supervise.js';

/**
 * Chooses calls to kill at: all of them, or of each class (where in berth's work, which call) the first, the last, the
 * middle, the second and the one before the last, round by round until there are `limit`. A call that is made often would
 * else hide those that are made once.
 */
export function choosePoints(
  calls: readonly SupervisedCall[],
  options: { readonly root: string; readonly limit: number },
): readonly SupervisedCall[] {
  if (calls.length <= options.limit) return calls;
  const classes = new Map<string, SupervisedCall[]>();
  for (const call of calls) {
    const key = `${phaseOf(call, options.root)} ${call.call}`;
    classes.set(key, [...(classes.get(key) ?? []), call]);
  }
  const chosen = new Set<SupervisedCall>();
  const take = (pick: (members: readonly SupervisedCall[]) => number): void => {
    const round = [...classes.values()].flatMap((members) => members[pick(members)] ?? []);
    addEvenly(
      chosen,
      [...new Set(round)].filter((call) => !chosen.has(call)),
      options.limit,
    );
  };
  take(() => 0);
  take((members) => members.length - 1);
  take((members) => members.length >> 1);
  take(() => 1);
  take((members) => members.length - 2);
  addEvenly(
    chosen,
    calls.filter((call) => !chosen.has(call)),
    options.limit,
  );
  return [...chosen].sort((a, b) => a.number - b.number);
}

/** Adds what there is room for, from the whole length of the list. */
function addEvenly(
  chosen: Set<SupervisedCall>,
  calls: readonly SupervisedCall[],
  limit: number,
): void {
  const room = Math.min(limit - chosen.size, calls.length);
  for (let index = 0; index < room; index++) {
    const call = calls[Math.floor((index * calls.length) / room)];
    if (call !== undefined) chosen.add(call);
  }
}

/** The part of berth's work that a call belongs to, by what it touches: without names that differ from run to run. */
export function phaseOf(call: SupervisedCall, root: string): string {
  return call.places
    .map((place) => (place.startsWith(root) ? place.slice(root.length) : place))
    .map((place) => {
      const state = /^\/var\/lib\/berth\/(.*)$/s.exec(place)?.[1];
      if (state === undefined)
        return place.replace(/\.berth-tmp-[0-9a-f]+/, '.tmp').replace(/\d+/g, 'N');
      const store = /^\.store\/([^/]+)/.exec(state)?.[1];
      if (store !== undefined) return `store/${store}`;
      const [top = '', next = ''] = state.replace(/\.berth-tmp-[0-9a-f]+/, '.tmp').split('/');
      return `${top}/${next === 'rootfs' ? 'rootfs' : ''}`;
    })
    .join(' ');
}
