// SPDX-License-Identifier: Apache-2.0
//
// peer.js — Node's http and http2 on either side.
//
//	node peer.js serve 1|2 ADDRESS PORT
//	node peer.js call 1|2 ADDRESS PORT BYTES     uploads so many bytes, too;
//	    prints what it saw, as JSON
'use strict';

const http = require('http');
const http2 = require('http2');

const [mode, version, host, port, bytes] = process.argv.slice(2);

function answer(request, response) {
	const path = request.url;

	if (path === '/echo') {
		request.pipe(response);
	} else if (path === '/pieces') {
		let count = 0;
		const timer = setInterval(() => {
			response.write(`piece ${count++}\n`);
			if (count === 20) {
				clearInterval(timer);
				response.end();
			}
		}, 5);
	} else if (path === '/trailers') {
		if (version === '1')
			response.setHeader('Trailer', 'x-sum');
		response.write('body');
		response.addTrailers({ 'x-sum': '841a2d68' });
		response.end();
	} else {
		response.writeHead(path === '/missing' ? 404 : 200,
		    { 'x-version': request.httpVersion });
		response.end(`${request.method} ${path}`);
	}
}

function call1(path, options, body) {
	return new Promise((resolve, reject) => {
		const request = http.request({ host, port, path, ...options },
		    (response) => {
			let text = '';
			response.setEncoding('utf8');
			response.on('data', (piece) => { text += piece; });
			response.on('end', () => resolve({
			    status: response.statusCode, text,
			    head: response.headers,
			    trailers: response.trailers }));
		});
		request.on('error', reject);
		request.end(body);
	});
}

function call2(session, path, options, body) {
	return new Promise((resolve, reject) => {
		// Node's own has no brackets around an address of IPv6.
		const stream = session.request({ ':path': path,
		    ':authority': 'peer',
		    ':method': options.method || 'GET' });
		const out = { text: '', trailers: {} };
		stream.setEncoding('utf8');
		stream.on('response', (head) => {
			out.head = head;
			out.status = head[':status'];
		});
		stream.on('trailers', (some) => { out.trailers = some; });
		stream.on('data', (piece) => { out.text += piece; });
		stream.on('end', () => resolve(out));
		stream.on('error', reject);
		stream.end(body);
	});
}

async function callAll(call) {
	const big = 'x'.repeat(Number(bytes));
	const get = await call('/a?b=c', {});
	const echo = await call('/echo', { method: 'POST' }, big);
	const many = await Promise.all([...Array(100).keys()].map(
	    (n) => call(`/${n}`, {})));

	return {
		get: [get.status, get.text, get.head['x-version']],
		missing: (await call('/missing', {})).status,
		echo: [echo.status, echo.text === big],
		pieces: (await call('/pieces', {})).text.split('\n').length - 1,
		trailer: (await call('/trailers', {})).trailers['x-sum'],
		many: many.filter((m, n) => m.text === `GET /${n}`).length,
	};
}

async function main() {
	if (mode === 'serve') {
		const make = version === '2' ? http2 : http;
		make.createServer(answer).listen(port, host);
		return;
	}
	let seen;
	if (version === '2') {
		const at = host.includes(':') ? `[${host}]` : host;
		const session = http2.connect(`http://${at}:${port}`);
		seen = await callAll((...words) => call2(session, ...words));
		session.close();
	} else {
		const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
		seen = await callAll((path, options, body) =>
		    call1(path, { agent, ...options }, body));
		agent.destroy();
	}
	console.log(JSON.stringify(seen));
}

main();
