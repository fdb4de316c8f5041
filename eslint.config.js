/** ESLint's rules: typescript-eslint's strictest set, less what only argues about taste. */
import eslint from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Every file opens with a comment that says its job. */
const fileComment = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: { missing: 'Begin the file with a /** … */ comment that says its job.' },
  },
  create(context) {
    return {
      Program(node) {
        const { sourceCode } = context;
        const first = sourceCode.getAllComments()[0];
        if (
          first?.type !== 'Block' ||
          !first.value.startsWith('*') ||
          sourceCode.text.slice(0, first.range[0]).trim()
        ) {
          context.report({ node, messageId: 'missing', loc: { line: 1, column: 0 } });
        }
      },
    };
  },
};

export default defineConfig(
  { ignores: ['dist/', 'site/', '**/out/', 'coverage/', 'docs/', 'node_modules/'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    plugins: { local: { rules: { 'file-comment': fileComment } } },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'local/file-comment': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Indices that loops keep in range are asserted: a check in an inner loop says less and costs more.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/prefer-literal-enum-member': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/gpu/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[property.name='glob'][object.type='MetaProperty']",
          message: 'Only src/gpu imports by pattern.',
        },
      ],
    },
  },
  { files: ['scripts/**', 'demo/**', 'test/**', '*.config.ts'], rules: { 'no-console': 'off' } },
  // The peers' own types are there only once they have been installed.
  { files: ['bench/peers/**'], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: { console: 'readonly', process: 'readonly', module: 'writable', URL: 'readonly' },
    },
    rules: { 'no-console': 'off' },
  },
);
