import { setFlagsFromString } from 'node:v8';

/** Majors of V8 whose flags are known here: an unknown one would be complained of on standard error. Node 20 has 11, 26 has 14. */
const KNOWN_V8 = { from: 11, to: 14 } as const;

/** The major that had `--interrupt-budget` last: those after it count turns for each of two compilers. */
const LAST_WITH_BUDGET = 11;

/**
 * Sets the engine up for programs through which many bytes flow, which keep few objects and are done in a second or in as long as
 * a network takes. To be called before much is done: what has grown does not shrink again. (Not before the program's part is
 * loaded, though: V8 takes what it compiled under the same flags only.)
 *
 * - The part of the heap in which objects begin stays at 1 MiB in place of 16 or more. What is read from a socket lies outside the
 *   heap and is freed with the object that stands for it; a large young part fills so slowly that tens of megabytes wait there.
 * - Functions are optimised after thirty times the usual number of turns. Otherwise more time goes into optimising the few
 *   functions of a flow than into running them.
 *
 * Copying 400 MB took 140 MB at most and 3.6 G cycles before, and takes 95 MB and 3.1 G.
 */
export function prepareForFlows(): void {
  keepYoungHeapSmall();
  optimiseAfter({ budget: 4_000_000, times: 30 });
}

/**
 * Lets the part of the heap in which objects begin grow no more than it has. It would grow to 16 MiB, three times over, where
 * much of what is made stays, as the tree of a large layer does; and a layer's tree alone is memory enough.
 */
export function keepYoungHeapSmall(): void {
  setFlag('--semi-space-growth-factor=1');
}

/**
 * Has functions optimised after five times the usual number of turns: a pull is over before most of what is optimised for it has
 * paid for itself. It takes the same time without, and 5 MB less. So is a list of a thousand containers, of which the compilers' threads
 * took 20 of 90 ms of the processors.
 */
export function optimiseLater(): void {
  optimiseAfter({ budget: 600_000, times: 5 });
}

/**
 * Leaves WebAssembly as it is first compiled. undici's parser of HTTP is one function: optimising it costs 35 MB and 70 ms in the
 * background of any program that speaks HTTP at all, and what it does for a body is the same few steps for each piece.
 */
export function leaveWasmUnoptimised(): void {
  setFlag('--wasm-tiering-budget=2000000000');
}

/** Whether the engine is one whose flags are known. */
export function isKnownEngine(): boolean {
  return engineMajor >= KNOWN_V8.from && engineMajor <= KNOWN_V8.to;
}

const engineMajor = Number.parseInt(process.versions.v8, 10);

/** `budget` is for engines that count what was run of a function, `times` for those that count its turns: times the usual number. */
function optimiseAfter({ budget, times }: { budget: number; times: number }): void {
  if (engineMajor <= LAST_WITH_BUDGET) {
    setFlag(`--interrupt-budget=${budget}`);
    return;
  }
  setFlag(`--invocation-count-for-maglev=${400 * times}`);
  setFlag(`--invocation-count-for-turbofan=${3000 * times}`);
}

function setFlag(flag: string): void {
  if (isKnownEngine()) setFlagsFromString(flag);
}
