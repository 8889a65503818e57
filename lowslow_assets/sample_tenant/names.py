"""Given and family names to combine at random; these people do not exist."""

_FIRST = (
    "Aisha Alan Amara Anders Anita Arjun Beatriz Bela Bruno Carla Cedric Chiara Clara Dana David "
    "Deepa Diego Elena Elif Emeka Emma Erik Fatima Felix Fiona Gael Grace Hana Hannah Henrik Hugo "
    "Ines Ivan Jack Jana Jonas Julia Kai Karim Kavya Lars Laura Leila Liam Lucia Maeve Marco Maria "
    "Martin Maya Mei Milan Nadia Nils Nora Olga Omar Oscar Paula Pavel Priya Rafael Ravi Rosa Ruth "
    "Samir Sara Sean Sofia Stefan Sunita Tara Theo Tomas Uma Vera Victor Wei Yara Yusuf Zoe"
)
_LAST = (
    "Abbott Adler Ahmed Almeida Archer Banerjee Bauer Becker Bennett Blake Bose Brandt Byrne "
    "Carter Castro Chandra Cohen Costa Cruz Dahl Das Dawson Delgado Dietrich Doyle Eriksen "
    "Evans Farrell Fischer Fleming Fraser Garcia Gill Graham Gupta Hansen Hartley Hayes "
    "Hoffmann Holm Huber Iyer Jansen Jensen Joshi Kaur Keller Khan Klein Kovac Kumar Lang "
    "Larsen Lehmann Lopez Lynch Mehta Meyer Mills Moreno Murphy Nair Nolan Novak Okafor Olsen "
    "Ortiz Osei Palmer Park Patel Pereira Petrov Quinn Rahman Ramos Rao Reid Rossi Sato Schmidt "
    "Shah Silva Singh Sokolov Stone Tanaka Thorne Torres Varga Vogel Walsh Weber Werner Wood "
    "Yilmaz Zhang Ziegler"
)

FIRST_NAMES, LAST_NAMES = _FIRST.split(), _LAST.split()
