/* SPDX-License-Identifier: MIT */
/* sparse: a disk in memory that keeps only what was written, in C++11. */
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <gotgt/plugin.h>

namespace {

constexpr std::size_t block_bytes = 4096;

struct conf {
	uint64_t size;
};

const gotgt_param params[] = {
	{ "size", GOTGT_PARAM_SIZE, 0, offsetof(conf, size), "1T", "Size of the device" },
	{ nullptr, 0, 0, 0, nullptr, nullptr },
};

class device {
public:
	/* Nothing may be thrown into the core: plugin.h is C. */
	gotgt_status submit(const gotgt_io *io) noexcept
	{
		std::lock_guard<std::mutex> hold(lock);

		try {
			if (io->op == GOTGT_OP_UNMAP || io->op == GOTGT_OP_ZERO)
				clear(io->offset, io->length);
			else
				move(io);
		} catch (const std::bad_alloc &) {
			return GOTGT_ERR_NO_SPACE;
		}
		return GOTGT_OK;
	}

private:
	using block = std::array<char, block_bytes>;

	void clear(uint64_t offset, uint64_t length)
	{
		blocks.erase(blocks.lower_bound(offset / block_bytes), blocks.lower_bound((offset + length) / block_bytes));
	}

	void move(const gotgt_io *io)
	{
		uint64_t at = io->offset;

		/* Elements end anywhere, so a block may be moved in several steps. */
		for (uint32_t i = 0; i < io->iovcnt; i++) {
			char *data = static_cast<char *>(io->iov[i].iov_base);

			for (std::size_t left = io->iov[i].iov_len, n; left; left -= n, data += n, at += n) {
				const std::size_t skip = at % block_bytes;

				n = left < block_bytes - skip ? left : block_bytes - skip;
				if (io->op == GOTGT_OP_WRITE)
					std::memcpy(writable(at / block_bytes) + skip, data, n);
				else
					read(at / block_bytes, skip, data, n);
			}
		}
	}

	char *writable(uint64_t number)
	{
		return blocks.emplace(number, block{}).first->second.data();
	}

	void read(uint64_t number, std::size_t skip, char *data, std::size_t n) const
	{
		const auto found = blocks.find(number);

		if (found == blocks.end())
			std::memset(data, 0, n);
		else
			std::memcpy(data, found->second.data() + skip, n);
	}

	std::mutex lock;
	std::map<uint64_t, block> blocks;
};

int open(gotgt_lun *lun, const void *settings, gotgt_dev_info *info, void **dev)
{
	device *d = new (std::nothrow) device;

	if (!d) {
		gotgt_error(lun, "no memory");
		return -ENOMEM;
	}
	info->size = static_cast<const conf *>(settings)->size;
	info->block_size = block_bytes;
	info->flags = GOTGT_DEV_THIN;
	info->ops = GOTGT_OP_BIT(GOTGT_OP_UNMAP) | GOTGT_OP_BIT(GOTGT_OP_ZERO);
	*dev = d;
	return 0;
}

void close(void *dev)
{
	delete static_cast<device *>(dev);
}

void submit(void *dev, gotgt_io *io)
{
	gotgt_io_done(io, static_cast<device *>(dev)->submit(io));
}

gotgt_plugin table()
{
	gotgt_plugin p = {};

	p.name = "sparse";
	p.version = "1";
	p.description = "A disk in memory that keeps what was written";
	p.flags = GOTGT_PLUGIN_BLOCKING;
	p.conf_size = sizeof(conf);
	p.params = params;
	p.open = open;
	p.close = close;
	p.submit = submit;
	return p;
}

}

GOTGT_PLUGIN_TABLE(table())
