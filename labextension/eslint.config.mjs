import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/**', 'node_modules/**', 'coverage/**', 'jest.config.js'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.mjs', 'style/*.js'] } }
    },
    plugins: { 'react-hooks': reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      curly: 'error',
      eqeqeq: 'error',
      // JupyterLab's own way to describe a class: the options' interface in a namespace.
      '@typescript-eslint/no-namespace': 'off',
      // Signals take a method and its object.
      '@typescript-eslint/unbound-method': 'off',
      // An interface that answers with promises may have an implementation without any await.
      '@typescript-eslint/require-await': 'off'
    }
  },
  prettier
);
