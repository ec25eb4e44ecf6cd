import js from '@eslint/js';
import jsdoc from 'eslint-plugin-jsdoc';
import n from 'eslint-plugin-n';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: ['dist/**', 'node_modules/**', 'coverage/**', '**/*.cjs', '**/*.mjs', 'test/lint/**'],
  },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  n.configs['flat/recommended-module'],
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numbers in messages are wanted everywhere; objects and undefined are what the rule is for.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'n/no-process-exit': 'error',
      'n/prefer-node-protocol': 'error',
      'n/no-missing-import': 'off', // tsc resolves imports
      'no-control-regex': 'off', // refusing control characters is half of what our parsers do
      'max-lines': ['error', { max: 400, skipComments: true, skipBlankLines: true }],
      'max-params': ['error', { max: 3 }],
      'no-console': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts', 'ostree-adapter/**/*.ts'],
    plugins: { jsdoc },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        { publicOnly: true, contexts: ['TSInterfaceDeclaration', 'TSTypeAliasDeclaration'] },
      ],
      'jsdoc/no-types': 'error',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
      'n/no-unpublished-import': 'off',
    },
  },
);
