/// <reference types="handlebars" />
/* The parser of Handlebars without its compiler; the package describes its index only. */

declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export function parse(text: string): hbs.AST.Program;
}
