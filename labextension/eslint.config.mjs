import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const VISIBLE =
  '/^(title|alt|placeholder|label|aria-(label|description|valuetext|roledescription))$/';
const SHOWN = '/^(label|title|caption|message|note|hint|placeholder)$/';
const TRANSLATED = 'Every text that a person sees goes through trans.__() or trans._n().';

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
      'no-restricted-syntax': [
        'error',
        ...[
          'JSXText[value=/[A-Za-z]/]',
          'JSXExpressionContainer > Literal[value=/[A-Za-z]/]:not(JSXAttribute *)',
          'JSXExpressionContainer > TemplateLiteral > TemplateElement[value.raw=/[A-Za-z]/]:not(JSXAttribute *)',
          `JSXAttribute[name.name=${VISIBLE}] Literal[value=/[A-Za-z]/]:not(CallExpression *)`,
          `Property[key.name=${SHOWN}] > Literal[value=/[A-Za-z]/]`,
          'CallExpression[callee.name=/^(showErrorMessage|announce)$/] > Literal[value=/[A-Za-z]/]',
          "CallExpression[callee.object.name='Notification'] > Literal[value=/[A-Za-z] /]",
          "NewExpression[callee.name='Error'] > Literal[value=/^[A-Z].*\\.$/]"
        ].map(selector => ({ selector, message: TRANSLATED }))
      ],
      // Signals take a method and its object.
      '@typescript-eslint/unbound-method': 'off',
      // An interface that answers with promises may have an implementation without any await.
      '@typescript-eslint/require-await': 'off'
    }
  },
  // What tests make up is nobody's interface.
  { files: ['src/__tests__/**'], rules: { 'no-restricted-syntax': 'off' } },
  prettier
);
