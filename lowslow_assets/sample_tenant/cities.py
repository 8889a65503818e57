"""Where sign-ins come from: real cities with their state, country, coordinates and clock.

The first cities are the tenant's offices, each followed by the towns where its people live. People
travel to the rest of the world, and attackers' proxies are there.
"""

from typing import NamedTuple

import numpy as np


class City(NamedTuple):
    """One place as Entra reports it; `utc_offset` in hours, daylight saving as in early summer."""

    name: str
    state: str
    country: str
    latitude: float
    longitude: float
    utc_offset: float


class Office(NamedTuple):
    """An office: its city and home towns as indices into `CITIES`, its share of the staff."""

    city: int
    towns: tuple[int, ...]
    staff_share: float


_OFFICES = """\
0.24 | Seattle,Washington,US,47.606,-122.332,-7; Bellevue,Washington,US,47.610,-122.201,-7; \
Redmond,Washington,US,47.674,-122.121,-7; Tacoma,Washington,US,47.253,-122.444,-7
0.20 | London,England,GB,51.507,-0.128,1; Croydon,England,GB,51.376,-0.098,1; \
Watford,England,GB,51.656,-0.397,1; Reading,England,GB,51.454,-0.973,1
0.16 | Chicago,Illinois,US,41.878,-87.630,-5; Evanston,Illinois,US,42.045,-87.688,-5; \
Naperville,Illinois,US,41.786,-88.147,-5
0.13 | Munich,Bayern,DE,48.137,11.575,2; Augsburg,Bayern,DE,48.371,10.898,2; \
Freising,Bayern,DE,48.403,11.749,2
0.11 | Bengaluru,Karnataka,IN,12.972,77.594,5.5; Mysuru,Karnataka,IN,12.296,76.639,5.5
0.08 | Dublin,Dublin,IE,53.350,-6.260,1; Swords,Dublin,IE,53.460,-6.218,1; \
Bray,Wicklow,IE,53.203,-6.098,1
0.05 | Utrecht,Utrecht,NL,52.091,5.121,2; Amersfoort,Utrecht,NL,52.156,5.388,2
0.03 | Sydney,New South Wales,AU,-33.869,151.209,10; \
Newcastle,New South Wales,AU,-32.928,151.782,10"""

# The first city is that of the new office (see `confusers`).
_WORLD = """\
Wroclaw,Dolnoslaskie,PL,51.108,17.039,2
New York,New York,US,40.713,-74.006,-4
San Francisco,California,US,37.775,-122.419,-7
Paris,Ile-De-France,FR,48.857,2.352,2
Berlin,Berlin,DE,52.520,13.405,2
Amsterdam,Noord-Holland,NL,52.368,4.904,2
Singapore,Central Singapore,SG,1.352,103.820,8
Boston,Massachusetts,US,42.360,-71.059,-4
Manchester,England,GB,53.481,-2.242,1
Madrid,Madrid,ES,40.417,-3.704,2
Mumbai,Maharashtra,IN,19.076,72.878,5.5
Toronto,Ontario,CA,43.653,-79.383,-4
Zurich,Zurich,CH,47.377,8.542,2
Tokyo,Tokyo,JP,35.677,139.650,9
Austin,Texas,US,30.267,-97.743,-5
Vienna,Wien,AT,48.208,16.374,2
Lisbon,Lisboa,PT,38.722,-9.139,1
Milan,Lombardia,IT,45.464,9.190,2
Stockholm,Stockholm,SE,59.329,18.069,2
Dubai,Dubai,AE,25.205,55.271,4
Melbourne,Victoria,AU,-37.814,144.963,10
Copenhagen,Hovedstaden,DK,55.676,12.568,2
Brussels,Brussels Hoofdstedelijk Gewest,BE,50.850,4.352,2
Barcelona,Barcelona,ES,41.387,2.170,2
Denver,Colorado,US,39.739,-104.990,-6
Prague,Praha,CZ,50.076,14.438,2
Oslo,Oslo,NO,59.914,10.752,2
Helsinki,Uusimaa,FI,60.170,24.938,3
Athens,Attiki,GR,37.984,23.728,3
Auckland,Auckland,NZ,-36.848,174.763,12
Hong Kong,Central And Western District,HK,22.319,114.169,8
Seoul,Seoul,KR,37.567,126.978,9
Sao Paulo,Sao Paulo,BR,-23.551,-46.633,-3
Rio De Janeiro,Rio De Janeiro,BR,-22.907,-43.173,-3
Fortaleza,Ceara,BR,-3.732,-38.527,-3
Buenos Aires,Buenos Aires,AR,-34.604,-58.382,-3
Cordoba,Cordoba,AR,-31.420,-64.189,-3
Santiago,Region Metropolitana,CL,-33.449,-70.669,-4
Bogota,Distrito Capital,CO,4.711,-74.072,-5
Medellin,Antioquia,CO,6.248,-75.566,-5
Lima,Lima,PE,-12.046,-77.043,-5
Quito,Pichincha,EC,-0.181,-78.468,-5
Caracas,Distrito Capital,VE,10.480,-66.904,-4
Mexico City,Ciudad De Mexico,MX,19.433,-99.133,-6
Guadalajara,Jalisco,MX,20.660,-103.350,-6
Hanoi,Ha Noi,VN,21.028,105.854,7
Ho Chi Minh City,Ho Chi Minh,VN,10.823,106.630,7
Bangkok,Krung Thep,TH,13.756,100.502,7
Jakarta,Jakarta,ID,-6.209,106.846,7
Surabaya,Jawa Timur,ID,-7.257,112.752,7
Manila,Manila,PH,14.600,120.984,8
Cebu City,Cebu,PH,10.316,123.886,8
Kuala Lumpur,Kuala Lumpur,MY,3.139,101.687,8
Taipei,Taipei,TW,25.033,121.565,8
Shanghai,Shanghai,CN,31.230,121.474,8
Guangzhou,Guangdong,CN,23.129,113.264,8
Chengdu,Sichuan,CN,30.573,104.067,8
Dhaka,Dhaka,BD,23.811,90.413,6
Karachi,Sindh,PK,24.861,67.001,5
Lahore,Punjab,PK,31.520,74.359,5
Colombo,Western Province,LK,6.927,79.861,5.5
Kathmandu,Bagmati,NP,27.717,85.324,5.75
Almaty,Almaty,KZ,43.238,76.946,5
Tashkent,Toshkent,UZ,41.300,69.240,5
Tbilisi,Tbilisi,GE,41.715,44.827,4
Yerevan,Erevan,AM,40.179,44.499,4
Kyiv,Kyiv,UA,50.450,30.524,3
Kharkiv,Kharkivska,UA,49.994,36.231,3
Moscow,Moskva,RU,55.756,37.617,3
Novosibirsk,Novosibirskaya,RU,55.008,82.936,7
Yekaterinburg,Sverdlovskaya,RU,56.839,60.606,5
Chisinau,Chisinau,MD,47.010,28.864,3
Bucharest,Bucuresti,RO,44.427,26.103,3
Sofia,Sofia,BG,42.698,23.322,3
Belgrade,Beograd,RS,44.787,20.457,2
Istanbul,Istanbul,TR,41.008,28.978,3
Ankara,Ankara,TR,39.933,32.860,3
Cairo,Al Qahirah,EG,30.044,31.236,3
Casablanca,Casablanca,MA,33.573,-7.590,1
Algiers,Alger,DZ,36.754,3.059,1
Tunis,Tunis,TN,36.807,10.182,1
Lagos,Lagos,NG,6.524,3.379,1
Accra,Greater Accra,GH,5.604,-0.187,0
Nairobi,Nairobi,KE,-1.292,36.822,3
Johannesburg,Gauteng,ZA,-26.204,28.047,2
Luanda,Luanda,AO,-8.839,13.289,1
Riyadh,Ar Riyad,SA,24.714,46.675,3
Baghdad,Baghdad,IQ,33.315,44.366,3"""


def _city(text: str) -> City:
    name, state, country, latitude, longitude, offset = text.strip().split(",")
    return City(name, state, country, float(latitude), float(longitude), float(offset))


def _read() -> tuple[list[City], list[Office]]:
    cities: list[City] = []
    offices: list[Office] = []
    for line in _OFFICES.splitlines():
        share, places = line.split("|")
        metro = [_city(place) for place in places.split(";")]
        towns = tuple(range(len(cities) + 1, len(cities) + len(metro)))
        offices.append(Office(len(cities), towns, float(share)))
        cities.extend(metro)
    return cities + [_city(line) for line in _WORLD.splitlines()], offices


CITIES, OFFICES = _read()
NEW_OFFICE = 1 + max(town for office in OFFICES for town in office.towns)
"""Index of the city that has no office until the confuser `new_office` opens one."""
ABROAD = np.arange(NEW_OFFICE + 1, len(CITIES))
"""Indices of the rest of the world, the favourite destinations of business trips first."""
COUNTRY = np.unique([city.country for city in CITIES], return_inverse=True)[1]
"""Per city, the number of its country."""
UTC_OFFSET = np.array([city.utc_offset for city in CITIES])
"""Per city, hours to add to UTC to get its clock time."""
