import { loadLibrary as load } from './ffi/library.js';

/**
 * Loads libostree, once; every other function does so by itself. For whoever wants to know beforehand whether it can be used.
 *
 * @throws {@link OstreeLibraryError}
 */
export function loadLibrary(): void {
  load();
}
