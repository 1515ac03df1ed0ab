'use strict';
require('node:module').enableCompileCache(require('node:path').join(__dirname, 'compiled'));
require('./main.cjs');
