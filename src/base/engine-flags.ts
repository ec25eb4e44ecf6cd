import { setFlagsFromString } from 'node:v8';

/*
 * Node's own modules come with what V8 compiled of them, and V8 takes that under the flags alone that it was compiled under. Behind a
 * flag each module that is still to be loaded is compiled anew: 14 ms for those that a pull needs, and 28 ms for those that a thread
 * begins with. So flags are set when all that is needed is there, or are set back.
 */

/** Majors of V8 whose flags are known here: an unknown one would be complained of on standard error. Node 20 has 11, 26 has 14. */
const KNOWN_V8 = { from: 11, to: 14 } as const;

/** The major that had `--interrupt-budget` last: those after it count turns for each of two compilers. */
const LAST_WITH_BUDGET = 11;

/** The major whose usual `--wasm-tiering-budget` was 1,800,000 last: it is 13,000,000 since. */
const LAST_WITH_SMALL_TIERING = 11;

/**
 * Sets the engine up for programs through which many bytes flow, which keep few objects and are done in a second or in as long as
 * a network takes. To be called before much is done, what has grown does not shrink again, but not before all is loaded (see above).
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
function keepYoungHeapSmall(): void {
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

let beginningThreads = 0;
let isWanted = false;

/**
 * Sets the engine up for a pull, by {@link keepYoungHeapSmall} and {@link optimiseLater}; where threads begin, when they have begun.
 * To be called when the first bytes are there.
 */
export function prepareForPull(): void {
  isWanted = true;
  if (beginningThreads > 0) return;
  keepYoungHeapSmall();
  optimiseLater();
}

/** Says that a thread begins. What is given back says that it has. */
export function beginThread(): () => void {
  beginningThreads += 1;
  let isBeginning = true;
  return () => {
    if (!isBeginning) return;
    isBeginning = false;
    beginningThreads -= 1;
    if (isWanted) prepareForPull();
  };
}

/**
 * Leaves modules of WebAssembly as they are first compiled. undici's parser of HTTP is one function: optimising it costs 35 MB and
 * 70 ms in the background of any program that speaks HTTP at all, and what it does for a body is the same few steps for each piece.
 */
export function leaveWasmUnoptimised(): void {
  // A module keeps the budget that there was when it was compiled.
  const usual = engineMajor <= LAST_WITH_SMALL_TIERING ? 1_800_000 : 13_000_000;
  WebAssembly.Module = new Proxy(WebAssembly.Module, {
    construct: (module, given, asked) => {
      setFlag('--wasm-tiering-budget=2000000000');
      try {
        return Reflect.construct(module, given, asked) as object;
      } finally {
        setFlag(`--wasm-tiering-budget=${usual}`);
      }
    },
  });
}

/** Whether the engine is one whose flags are known. */
export function isKnownEngine(): boolean {
  return engineMajor >= KNOWN_V8.from && engineMajor <= KNOWN_V8.to;
}

/** Of what the engine has; the types of Node leave it to those of browsers. */
declare const WebAssembly: { Module: new (bytes: Uint8Array) => object };

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
