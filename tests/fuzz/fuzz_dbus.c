/* What comes from a D-Bus peer: the first byte is the length of the header's fields, the rest those and a body. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "base/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t fields = size > 0 ? data[0] : 0;
	struct dbus_message message;
	struct dbus_reader reader;
	const char *text;
	uint32_t number;
	bool more = true;
	int r;

	if (size == 0)
		return 0;
	data++;
	size--;
	if (fields > size)
		fields = size;
	memset(&message, 0xa5, sizeof(message));
	r = dbus_parse_fields(data, fields, &message);
	FUZZ_CHECK(r == 0 || r == -EPROTO);
	FUZZ_CHECK_TEXT(message.member);
	FUZZ_CHECK_TEXT(message.error);
	reader = (struct dbus_reader){.data = data + fields, .len = size - fields};
	while (more) {
		size_t before = reader.at;

		more = dbus_get_string(&reader, &text) == 0;
		if (more) {
			/* It lies in the body, its end included. */
			FUZZ_CHECK((const uint8_t *)text >= reader.data);
			FUZZ_CHECK((const uint8_t *)text + strlen(text) < reader.data + reader.len);
		}
		more = dbus_get_u32(&reader, &number) == 0 && more;
		FUZZ_CHECK(reader.at <= reader.len && reader.at >= before);
	}
	return 0;
}
