/*
 * The C functions that are called, in their own words. Pointers are all `void *`: objects, strings (NUL-terminated bytes)
 * and places for results alike; who owns what is said where a function is called, and in the table of README.md.
 * gboolean is int, gsize is size_t, gssize is intptr_t, enums are int.
 */

/** Functions that give a pointer. */
export const pointerPrototypes = {
  // GLib
  g_quark_to_string: ['glib', 'void *g_quark_to_string(uint32_t quark)'],
  g_bytes_new: ['glib', 'void *g_bytes_new(void *data, size_t size)'],
  g_bytes_get_data: ['glib', 'void *g_bytes_get_data(void *bytes, void *size)'],
  g_variant_new_from_bytes: [
    'glib',
    'void *g_variant_new_from_bytes(void *type, void *bytes, int trusted)',
  ],
  g_variant_ref_sink: ['glib', 'void *g_variant_ref_sink(void *value)'],
  g_variant_get_data: ['glib', 'void *g_variant_get_data(void *value)'],
  g_variant_get_type_string: ['glib', 'void *g_variant_get_type_string(void *value)'],
  g_hash_table_lookup: ['glib', 'void *g_hash_table_lookup(void *table, void *key)'],
  g_variant_dict_new: ['glib', 'void *g_variant_dict_new(void *from_asv)'],
  g_variant_dict_end: ['glib', 'void *g_variant_dict_end(void *dict)'],
  g_key_file_get_string: [
    'glib',
    'void *g_key_file_get_string(void *file, void *group, void *key, void *error)',
  ],
  // GObject
  g_object_ref: ['gobject', 'void *g_object_ref(void *object)'],
  // GIO
  g_cancellable_new: ['gio', 'void *g_cancellable_new(void)'],
  g_file_new_for_path: ['gio', 'void *g_file_new_for_path(void *path)'],
  g_memory_input_stream_new: ['gio', 'void *g_memory_input_stream_new(void)'],
  g_unix_input_stream_new: ['gio', 'void *g_unix_input_stream_new(int fd, int close_fd)'],
  g_file_info_get_attribute_byte_string: [
    'gio',
    'void *g_file_info_get_attribute_byte_string(void *info, void *attribute)',
  ],
  // libostree
  ostree_repo_open_at: [
    'ostree',
    'void *ostree_repo_open_at(int dfd, void *path, void *cancellable, void *error)',
  ],
  ostree_repo_create_at: [
    'ostree',
    'void *ostree_repo_create_at(int dfd, void *path, int mode, void *options, void *cancellable, void *error)',
  ],
  ostree_repo_write_regfile: [
    'ostree',
    'void *ostree_repo_write_regfile(void *self, void *expected_checksum, uint32_t uid, uint32_t gid, uint32_t mode, uint64_t content_len, void *xattrs, void *error)',
  ],
  ostree_repo_write_regfile_inline: [
    'ostree',
    'void *ostree_repo_write_regfile_inline(void *self, void *expected_checksum, uint32_t uid, uint32_t gid, uint32_t mode, void *xattrs, void *buf, size_t len, void *cancellable, void *error)',
  ],
  ostree_repo_write_symlink: [
    'ostree',
    'void *ostree_repo_write_symlink(void *self, void *expected_checksum, uint32_t uid, uint32_t gid, void *xattrs, void *symlink_target, void *cancellable, void *error)',
  ],
  ostree_content_writer_finish: [
    'ostree',
    'void *ostree_content_writer_finish(void *self, void *cancellable, void *error)',
  ],
  ostree_repo_copy_config: ['ostree', 'void *ostree_repo_copy_config(void *self)'],
  ostree_mutable_tree_new: ['ostree', 'void *ostree_mutable_tree_new(void)'],
  ostree_mutable_tree_new_from_checksum: [
    'ostree',
    'void *ostree_mutable_tree_new_from_checksum(void *repo, void *contents_checksum, void *metadata_checksum)',
  ],
  ostree_mutable_tree_new_from_commit: [
    'ostree',
    'void *ostree_mutable_tree_new_from_commit(void *repo, void *rev, void *error)',
  ],
  ostree_mutable_tree_get_contents_checksum: [
    'ostree',
    'void *ostree_mutable_tree_get_contents_checksum(void *self)',
  ],
  ostree_mutable_tree_get_metadata_checksum: [
    'ostree',
    'void *ostree_mutable_tree_get_metadata_checksum(void *self)',
  ],
  ostree_mutable_tree_get_subdirs: ['ostree', 'void *ostree_mutable_tree_get_subdirs(void *self)'],
  ostree_mutable_tree_get_files: ['ostree', 'void *ostree_mutable_tree_get_files(void *self)'],
  ostree_repo_file_tree_get_contents_checksum: [
    'ostree',
    'void *ostree_repo_file_tree_get_contents_checksum(void *self)',
  ],
  ostree_repo_file_tree_get_metadata_checksum: [
    'ostree',
    'void *ostree_repo_file_tree_get_metadata_checksum(void *self)',
  ],
  ostree_sign_get_by_name: ['ostree', 'void *ostree_sign_get_by_name(void *name, void *error)'],
  ostree_repo_verify_commit_ext: [
    'ostree',
    'void *ostree_repo_verify_commit_ext(void *self, void *commit_checksum, void *keyringdir, void *extra_keyring, void *cancellable, void *error)',
  ],
  ostree_gpg_verify_result_get_all: [
    'ostree',
    'void *ostree_gpg_verify_result_get_all(void *result, unsigned int signature_index)',
  ],
  ostree_repo_commit_modifier_new: [
    'ostree',
    'void *ostree_repo_commit_modifier_new(int flags, void *commit_filter, void *user_data, void *destroy_notify)',
  ],
} as const satisfies Prototypes;

/** Functions that give a number (gboolean among them). */
export const numberPrototypes = {
  // GLib
  g_variant_get_size: ['glib', 'size_t g_variant_get_size(void *value)'],
  g_hash_table_size: ['glib', 'unsigned int g_hash_table_size(void *table)'],
  g_hash_table_iter_next: [
    'glib',
    'int g_hash_table_iter_next(void *iter, void *key, void *value)',
  ],
  // GIO
  g_input_stream_read: [
    'gio',
    'intptr_t g_input_stream_read(void *stream, void *buffer, size_t count, void *cancellable, void *error)',
  ],
  g_output_stream_write_all: [
    'gio',
    'int g_output_stream_write_all(void *stream, void *buffer, size_t count, void *written, void *cancellable, void *error)',
  ],
  g_file_info_get_attribute_uint32: [
    'gio',
    'uint32_t g_file_info_get_attribute_uint32(void *info, void *attribute)',
  ],
  g_file_info_get_attribute_uint64: [
    'gio',
    'uint64_t g_file_info_get_attribute_uint64(void *info, void *attribute)',
  ],
  // libostree
  ostree_check_version: [
    'ostree',
    'int ostree_check_version(unsigned int required_year, unsigned int required_release)',
  ],
  ostree_repo_get_mode: ['ostree', 'int ostree_repo_get_mode(void *self)'],
  ostree_repo_is_writable: ['ostree', 'int ostree_repo_is_writable(void *self, void *error)'],
  ostree_repo_reload_config: [
    'ostree',
    'int ostree_repo_reload_config(void *self, void *cancellable, void *error)',
  ],
  ostree_repo_write_config: [
    'ostree',
    'int ostree_repo_write_config(void *self, void *new_config, void *error)',
  ],
  ostree_repo_prepare_transaction: [
    'ostree',
    'int ostree_repo_prepare_transaction(void *self, void *out_transaction_resume, void *cancellable, void *error)',
  ],
  ostree_repo_commit_transaction: [
    'ostree',
    'int ostree_repo_commit_transaction(void *self, void *out_stats, void *cancellable, void *error)',
  ],
  ostree_repo_abort_transaction: [
    'ostree',
    'int ostree_repo_abort_transaction(void *self, void *cancellable, void *error)',
  ],
  ostree_repo_set_ref_immediate: [
    'ostree',
    'int ostree_repo_set_ref_immediate(void *self, void *remote, void *ref, void *checksum, void *cancellable, void *error)',
  ],
  ostree_repo_resolve_rev: [
    'ostree',
    'int ostree_repo_resolve_rev(void *self, void *refspec, int allow_noent, void *out_rev, void *error)',
  ],
  ostree_repo_list_refs_ext: [
    'ostree',
    'int ostree_repo_list_refs_ext(void *self, void *refspec_prefix, void *out_all_refs, int flags, void *cancellable, void *error)',
  ],
  ostree_repo_has_object: [
    'ostree',
    'int ostree_repo_has_object(void *self, int objtype, void *checksum, void *out_have_object, void *cancellable, void *error)',
  ],
  ostree_repo_write_metadata: [
    'ostree',
    'int ostree_repo_write_metadata(void *self, int objtype, void *expected_checksum, void *object, void *out_csum, void *cancellable, void *error)',
  ],
  ostree_repo_write_content: [
    'ostree',
    'int ostree_repo_write_content(void *self, void *expected_checksum, void *object_input, uint64_t length, void *out_csum, void *cancellable, void *error)',
  ],
  ostree_repo_load_variant: [
    'ostree',
    'int ostree_repo_load_variant(void *self, int objtype, void *sha256, void *out_variant, void *error)',
  ],
  ostree_repo_load_file: [
    'ostree',
    'int ostree_repo_load_file(void *self, void *checksum, void *out_input, void *out_file_info, void *out_xattrs, void *cancellable, void *error)',
  ],
  ostree_repo_query_object_storage_size: [
    'ostree',
    'int ostree_repo_query_object_storage_size(void *self, int objtype, void *sha256, void *out_size, void *cancellable, void *error)',
  ],
  ostree_repo_delete_object: [
    'ostree',
    'int ostree_repo_delete_object(void *self, int objtype, void *sha256, void *cancellable, void *error)',
  ],
  ostree_repo_fsck_object: [
    'ostree',
    'int ostree_repo_fsck_object(void *self, int objtype, void *sha256, void *cancellable, void *error)',
  ],
  ostree_repo_list_objects: [
    'ostree',
    'int ostree_repo_list_objects(void *self, int flags, void *out_objects, void *cancellable, void *error)',
  ],
  ostree_repo_mark_commit_partial: [
    'ostree',
    'int ostree_repo_mark_commit_partial(void *self, void *checksum, int is_partial, void *error)',
  ],
  ostree_repo_load_commit: [
    'ostree',
    'int ostree_repo_load_commit(void *self, void *checksum, void *out_commit, void *out_state, void *error)',
  ],
  ostree_repo_read_commit_detached_metadata: [
    'ostree',
    'int ostree_repo_read_commit_detached_metadata(void *self, void *checksum, void *out_metadata, void *cancellable, void *error)',
  ],
  ostree_repo_write_commit_detached_metadata: [
    'ostree',
    'int ostree_repo_write_commit_detached_metadata(void *self, void *checksum, void *metadata, void *cancellable, void *error)',
  ],
  ostree_repo_write_mtree: [
    'ostree',
    'int ostree_repo_write_mtree(void *self, void *mtree, void *out_file, void *cancellable, void *error)',
  ],
  ostree_repo_write_dfd_to_mtree: [
    'ostree',
    'int ostree_repo_write_dfd_to_mtree(void *self, int dfd, void *path, void *mtree, void *modifier, void *cancellable, void *error)',
  ],
  ostree_repo_write_archive_to_mtree_from_fd: [
    'ostree',
    'int ostree_repo_write_archive_to_mtree_from_fd(void *self, int fd, void *mtree, void *modifier, int autocreate_parents, void *cancellable, void *error)',
  ],
  ostree_repo_write_commit_with_time: [
    'ostree',
    'int ostree_repo_write_commit_with_time(void *self, void *parent, void *subject, void *body, void *metadata, void *root, uint64_t time, void *out_commit, void *cancellable, void *error)',
  ],
  ostree_repo_checkout_at: [
    'ostree',
    'int ostree_repo_checkout_at(void *self, void *options, int destination_dfd, void *destination_path, void *commit, void *cancellable, void *error)',
  ],
  ostree_repo_prune: [
    'ostree',
    'int ostree_repo_prune(void *self, int flags, int depth, void *out_objects_total, void *out_objects_pruned, void *out_pruned_object_size_total, void *cancellable, void *error)',
  ],
  ostree_mutable_tree_replace_file: [
    'ostree',
    'int ostree_mutable_tree_replace_file(void *self, void *name, void *checksum, void *error)',
  ],
  ostree_mutable_tree_remove: [
    'ostree',
    'int ostree_mutable_tree_remove(void *self, void *name, int allow_noent, void *error)',
  ],
  ostree_mutable_tree_ensure_dir: [
    'ostree',
    'int ostree_mutable_tree_ensure_dir(void *self, void *name, void *out_subdir, void *error)',
  ],
  ostree_mutable_tree_lookup: [
    'ostree',
    'int ostree_mutable_tree_lookup(void *self, void *name, void *out_file_checksum, void *out_subdir, void *error)',
  ],
  ostree_mutable_tree_check_error: [
    'ostree',
    'int ostree_mutable_tree_check_error(void *self, void *error)',
  ],
  ostree_gpg_verify_result_count_all: [
    'ostree',
    'unsigned int ostree_gpg_verify_result_count_all(void *result)',
  ],
  ostree_repo_sign_commit: [
    'ostree',
    'int ostree_repo_sign_commit(void *self, void *commit_checksum, void *key_id, void *homedir, void *cancellable, void *error)',
  ],
  ostree_sign_set_sk: [
    'ostree',
    'int ostree_sign_set_sk(void *self, void *secret_key, void *error)',
  ],
  ostree_sign_add_pk: [
    'ostree',
    'int ostree_sign_add_pk(void *self, void *public_key, void *error)',
  ],
  ostree_sign_commit: [
    'ostree',
    'int ostree_sign_commit(void *self, void *repo, void *commit_checksum, void *cancellable, void *error)',
  ],
  ostree_sign_commit_verify: [
    'ostree',
    'int ostree_sign_commit_verify(void *self, void *repo, void *commit_checksum, void *out_success_message, void *cancellable, void *error)',
  ],
  ostree_repo_list_static_delta_names: [
    'ostree',
    'int ostree_repo_list_static_delta_names(void *self, void *out_deltas, void *cancellable, void *error)',
  ],
  ostree_repo_static_delta_generate: [
    'ostree',
    'int ostree_repo_static_delta_generate(void *self, int opt, void *from, void *to, void *metadata, void *params, void *cancellable, void *error)',
  ],
  ostree_repo_static_delta_execute_offline: [
    'ostree',
    'int ostree_repo_static_delta_execute_offline(void *self, void *dir_or_file, int skip_validation, void *cancellable, void *error)',
  ],
  ostree_repo_get_disable_fsync: ['ostree', 'int ostree_repo_get_disable_fsync(void *self)'],
} as const satisfies Prototypes;

/** Functions that give nothing. */
export const voidPrototypes = {
  // GLib
  g_free: ['glib', 'void g_free(void *memory)'],
  g_error_free: ['glib', 'void g_error_free(void *error)'],
  g_bytes_unref: ['glib', 'void g_bytes_unref(void *bytes)'],
  g_variant_unref: ['glib', 'void g_variant_unref(void *value)'],
  g_variant_dict_unref: ['glib', 'void g_variant_dict_unref(void *dict)'],
  g_hash_table_iter_init: ['glib', 'void g_hash_table_iter_init(void *iter, void *table)'],
  g_hash_table_unref: ['glib', 'void g_hash_table_unref(void *table)'],
  g_ptr_array_unref: ['glib', 'void g_ptr_array_unref(void *array)'],
  g_key_file_set_string: [
    'glib',
    'void g_key_file_set_string(void *file, void *group, void *key, void *value)',
  ],
  g_key_file_unref: ['glib', 'void g_key_file_unref(void *file)'],
  g_log_set_default_handler: [
    'glib',
    'void g_log_set_default_handler(void *log_func, void *user_data)',
  ],
  g_log_set_always_fatal: ['glib', 'void g_log_set_always_fatal(int fatal_mask)'],
  g_set_print_handler: ['glib', 'void g_set_print_handler(void *func)'],
  g_set_printerr_handler: ['glib', 'void g_set_printerr_handler(void *func)'],
  // GObject
  g_object_unref: ['gobject', 'void g_object_unref(void *object)'],
  // GIO
  g_cancellable_cancel: ['gio', 'void g_cancellable_cancel(void *cancellable)'],
  g_memory_input_stream_add_data: [
    'gio',
    'void g_memory_input_stream_add_data(void *stream, void *data, intptr_t len, void *destroy)',
  ],
  // libostree
  ostree_repo_set_disable_fsync: [
    'ostree',
    'void ostree_repo_set_disable_fsync(void *self, int disable_fsync)',
  ],
  ostree_repo_transaction_set_ref: [
    'ostree',
    'void ostree_repo_transaction_set_ref(void *self, void *remote, void *ref, void *checksum)',
  ],
  ostree_mutable_tree_set_metadata_checksum: [
    'ostree',
    'void ostree_mutable_tree_set_metadata_checksum(void *self, void *checksum)',
  ],
  ostree_repo_commit_modifier_unref: [
    'ostree',
    'void ostree_repo_commit_modifier_unref(void *modifier)',
  ],
  // The C library
  memcpy: ['c', 'void memcpy(void *to, void *from, size_t size)'],
} as const satisfies Prototypes;

/** Which library a function is of, and its prototype. */
export type Prototype = readonly [LibraryName, string];

/** The libraries that are called. */
export type LibraryName = 'glib' | 'gobject' | 'gio' | 'ostree' | 'c';

/** Prototypes by function name. */
export type Prototypes = Readonly<Record<string, Prototype>>;
