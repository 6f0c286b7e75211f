import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'build/',
      'coverage/',
      'bench/out/',
      'etc/',
      'test/**/*.cjs',
      'test/**/*.mjs',
      'docs/api/',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreUsingDeclarations: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['examples/**', 'bench/**', 'scripts/**', 'test/nodes.ts', 'test/runtimes.ts'],
    rules: { 'no-console': 'off' },
  },
  // The cases also run on older builds, which do not know the names of today.
  { files: ['bench/**'], rules: { '@typescript-eslint/no-deprecated': 'off' } },
  {
    files: ['src/http/page/files/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          ...['document', 'location', 'navigator', 'localStorage', 'sessionStorage', 'fetch', 'performance'],
          ...['setTimeout', 'setInterval', 'requestAnimationFrame', 'addEventListener', 'matchMedia'],
          ...['getComputedStyle', 'createImageBitmap', 'ResizeObserver', 'TextDecoderStream'],
          ...['URL', 'URLSearchParams', 'FormData', 'Blob', 'FileReader'],
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
);
