/*
 * GLib writes warnings of whatever library to the standard streams, and with G_DEBUG=fatal-warnings it ends the process.
 * Both would reach whoever only used a repository. Every failure that matters comes back as a GError, so the messages are
 * dropped. With G_MESSAGES_DEBUG set they stay as GLib has them.
 *
 * The handlers must not be JavaScript: they are called in any thread, while the main thread may wait for that thread. A C
 * function that takes whatever it is given and does nothing serves for all of them: g_mem_is_system_malloc(), which
 * returns TRUE since GLib 2.46.
 */

/** `G_LOG_FATAL_MASK`: only g_error(), which cannot be survived, ends the process. */
const FATAL_MASK = 1 << 2;

/** The functions that say where messages go. */
interface MessageFunctions {
  g_log_set_always_fatal(mask: number): void;
  g_log_set_default_handler(handler: bigint, data: null): void;
  g_set_print_handler(handler: bigint): void;
  g_set_printerr_handler(handler: bigint): void;
}

/** Drops what GLib would print. Setting it once more, from another thread's copy of this module, changes nothing. */
export function quietGlib(call: MessageFunctions, doNothing: bigint): void {
  if (process.env['G_MESSAGES_DEBUG'] !== undefined) return;
  call.g_log_set_always_fatal(FATAL_MASK);
  call.g_log_set_default_handler(doNothing, null);
  call.g_set_print_handler(doNothing);
  call.g_set_printerr_handler(doNothing);
}
